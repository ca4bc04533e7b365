import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { Constraint, Constraints, Enums, Member, Structures } from '../aws/shapes.ts'
import { model, validateShape } from '../aws/shapes.ts'
import { CognitoError } from '../errors.ts'
import { constraints as kmsConstraints } from '../kms/constraints.ts'
import * as kms from '../kms/shapes.generated.ts'
import { constraints } from './constraints.ts'
import * as cognito from './shapes.generated.ts'
import { enums as allEnums, type OperationName, operationNames, operations, structures } from './shapes.generated.ts'
import { validateInput } from './validate.ts'

/** The operations of the API contract, group by group. */
const contract = `
  CreateUserPool DescribeUserPool UpdateUserPool DeleteUserPool ListUserPools AddCustomAttributes
  GetUserPoolMfaConfig SetUserPoolMfaConfig GetSigningCertificate GetCSVHeader CreateUserPoolClient
  DescribeUserPoolClient UpdateUserPoolClient DeleteUserPoolClient ListUserPoolClients AddUserPoolClientSecret
  DeleteUserPoolClientSecret ListUserPoolClientSecrets CreateUserPoolDomain DescribeUserPoolDomain
  UpdateUserPoolDomain DeleteUserPoolDomain AdminCreateUser AdminGetUser ListUsers AdminUpdateUserAttributes
  AdminDeleteUserAttributes AdminDeleteUser AdminEnableUser AdminDisableUser AdminConfirmSignUp
  AdminResetUserPassword AdminSetUserPassword AdminSetUserSettings AdminLinkProviderForUser
  AdminDisableProviderForUser AdminUserGlobalSignOut AdminListUserAuthEvents AdminUpdateAuthEventFeedback SignUp
  ConfirmSignUp ResendConfirmationCode ForgotPassword ConfirmForgotPassword ChangePassword GetUser
  UpdateUserAttributes DeleteUserAttributes GetUserAttributeVerificationCode VerifyUserAttribute DeleteUser
  SetUserSettings UpdateAuthEventFeedback InitiateAuth RespondToAuthChallenge AdminInitiateAuth
  AdminRespondToAuthChallenge GetTokensFromRefreshToken GetClientToken RevokeToken GlobalSignOut
  AssociateSoftwareToken VerifySoftwareToken AdminDeleteSoftwareToken SetUserMFAPreference AdminSetUserMFAPreference
  GetUserAuthFactors AdminGetUserAuthFactors ConfirmDevice GetDevice ListDevices UpdateDeviceStatus ForgetDevice
  AdminGetDevice AdminListDevices AdminUpdateDeviceStatus AdminForgetDevice StartWebAuthnRegistration
  CompleteWebAuthnRegistration ListWebAuthnCredentials DeleteWebAuthnCredential CreateGroup GetGroup UpdateGroup
  DeleteGroup ListGroups ListUsersInGroup AdminAddUserToGroup AdminRemoveUserFromGroup AdminListGroupsForUser
  CreateResourceServer DescribeResourceServer UpdateResourceServer DeleteResourceServer ListResourceServers
  CreateIdentityProvider DescribeIdentityProvider GetIdentityProviderByIdentifier UpdateIdentityProvider
  DeleteIdentityProvider ListIdentityProviders CreateManagedLoginBranding DescribeManagedLoginBranding
  DescribeManagedLoginBrandingByClient UpdateManagedLoginBranding DeleteManagedLoginBranding CreateTerms
  DescribeTerms DescribeTermsByClient UpdateTerms DeleteTerms ListTerms GetUICustomization SetUICustomization
  CreateUserImportJob DescribeUserImportJob ListUserImportJobs StartUserImportJob StopUserImportJob
  DescribeRiskConfiguration SetRiskConfiguration GetLogDeliveryConfiguration SetLogDeliveryConfiguration TagResource
  UntagResource ListTagsForResource CreateUserPoolReplica ListUserPoolReplicas UpdateUserPoolReplica
  DeleteUserPoolReplica SetUserPoolSessionConfiguration GetUserPoolSessionConfiguration
  SetUserPoolClientSessionConfiguration GetUserPoolClientSessionConfiguration ListUserSessions RevokeUserSession
  AdminListUserSessions AdminRevokeUserSession GetProvisionedLimit UpdateProvisionedLimit`
  .trim()
  .split(/\s+/)

const poolId = 'us-west-2_AbCdEf123'

function refusal(operation: OperationName, input: unknown): CognitoError {
  try {
    validateInput(operation, input)
  } catch (error) {
    assert.ok(error instanceof CognitoError, String(error))
    return error
  }
  assert.fail(`${operation} accepted ${JSON.stringify(input)}`)
}

function refuses(operation: OperationName, input: unknown, message: string) {
  const error = refusal(operation, input)
  assert.equal(error.code, 'InvalidParameterException')
  assert.equal(error.message, message)
}

function cannotRead(operation: OperationName, input: unknown, message: string) {
  const error = refusal(operation, input)
  assert.equal(error.code, 'SerializationException')
  assert.equal(error.status, 400)
  assert.equal(error.message, message)
}

const failed = (what: string, rule: string) =>
  `1 validation error detected: ${what} failed to satisfy constraint: ${rule}`

describe('the shapes of the model', () => {
  it('are those of the 140 operations of the contract', () => {
    assert.equal(contract.length, 140)
    assert.deepEqual([...operationNames].sort(), [...contract].sort())
  })

  for (const [service, { operations, structures, enums }, table] of [
    ['cognito', cognito, constraints],
    ['kms', kms, kmsConstraints],
  ] as const) {
    it(`${service}: every referenced structure and enum exists`, () => {
      const visit = (member: Member) => {
        if (member.structure !== undefined) assert.ok(structures[member.structure], member.structure)
        if (member.enum !== undefined) assert.ok(member.enum in enums, member.enum)
        if (member.type === 'list' || member.type === 'map') visit(member.of ?? assert.fail('a collection of nothing'))
      }
      for (const operation of Object.values(operations) as { input?: string; output?: string; errors: string[] }[]) {
        assert.ok(operation.input !== undefined && structures[operation.input])
        if (operation.output !== undefined) assert.ok(structures[operation.output])
        assert.notEqual(operation.errors.length, 0)
      }
      for (const members of Object.values(structures)) for (const member of Object.values(members)) visit(member)
    })

    it(`${service}: every constraint belongs to a member`, () => {
      assert.deepEqual(orphans(table, structures), [])
    })

    it(`${service}: every pattern takes linear time`, () => {
      const length = 50_000
      const seeds = [
        'a',
        ' ',
        '_',
        '_a',
        '@',
        '{####}',
        '{##',
        '##}',
        ':a',
        ':',
        '-a',
        '-',
        'a.',
        '\u{1F600}',
        '\n',
        'arn:a:a:1:',
      ]
      for (const [name, { matches }] of Object.entries(table)) {
        if (matches === undefined) continue
        for (const seed of seeds) {
          for (const end of ['', ' ', '\n', '\u0000']) {
            const started = performance.now()
            matches(seed.repeat(length / seed.length) + end)
            const milliseconds = performance.now() - started
            assert.ok(milliseconds < 500, `${name} on ${JSON.stringify(seed + end)}: ${milliseconds} ms`)
          }
        }
      }
    })
  }
})

function orphans(table: Constraints, all: Structures): string[] {
  const isCollection = (member: Member | undefined, suffix: string) =>
    suffix === '' || (suffix === '[]' ? member?.type === 'list' : member?.type === 'map')
  return Object.keys(table).filter((key) => {
    const [, structure, name = '', suffix = ''] = /^(?:(\w+)\.)?(\w+)(\[\]|\{key\}|\{value\})?$/.exec(key) ?? []
    const candidates = structure === undefined ? Object.values(all) : [all[structure] ?? {}]
    return !candidates.some((members) => name in members && isCollection(members[name], suffix))
  })
}

describe('an input', () => {
  it('is returned unchanged, without unknown and null members', () => {
    const input = validateInput('SignUp', {
      ClientId: 'abc123',
      Username: 'alice',
      Password: 'correct horse',
      UserAttributes: [{ Name: 'email', Value: 'a@example.com', Extra: 1 }],
      ClientMetadata: { k: 'v', gone: null },
      SecretHash: null,
      Unknown: {},
    })
    assert.deepEqual(JSON.parse(JSON.stringify(input)), {
      ClientId: 'abc123',
      Username: 'alice',
      Password: 'correct horse',
      UserAttributes: [{ Name: 'email', Value: 'a@example.com' }],
      ClientMetadata: { k: 'v' },
    })
    assert.equal('SecretHash' in input, false)
  })

  it('has its blobs decoded', () => {
    const { ImageFile } = validateInput('SetUICustomization', { UserPoolId: poolId, ImageFile: 'AAEC' })
    assert.deepEqual(ImageFile, Buffer.from([0, 1, 2]))
  })

  it('keeps documents as they are', () => {
    const Settings = { categories: { form: [1, null, { deep: true }] } }
    assert.deepEqual(
      validateInput('CreateManagedLoginBranding', { UserPoolId: poolId, ClientId: 'a', Settings }).Settings,
      Settings,
    )
  })

  it('cannot reach a prototype', () => {
    const body = JSON.parse(
      `{"__proto__":{"UserPoolId":"x"},"AuthFlow":"USER_SRP_AUTH","ClientId":"a","constructor":{},"AuthParameters":{"__proto__":"p","constructor":"c"}}`,
    )
    const input = validateInput('InitiateAuth', body)
    assert.equal(Object.getPrototypeOf(input), Object.prototype)
    assert.equal(Object.getPrototypeOf(input.AuthParameters), null)
    assert.equal(input.AuthParameters?.constructor, 'c')
    assert.equal(input.AuthParameters?.toString, undefined)
    assert.equal(Object.hasOwn(input, 'constructor'), false)
    cannotRead(
      'CompleteWebAuthnRegistration',
      { AccessToken: 'a.b', Credential: JSON.parse('{"a":[{"__proto__":{"polluted":1}}]}') },
      'Document has a member of a reserved name',
    )
  })

  it('does not take a required member from a prototype', () => {
    const body = JSON.parse('{"__proto__":{"UserPoolId":"us-west-2_a"}}')
    refuses('DeleteUserPool', body, failed(`Value null at 'userPoolId'`, 'Member must not be null'))
  })

  it('accepts the values that the service accepts beyond its documented patterns', () => {
    validateInput('CreateUserPoolDomain', { UserPoolId: poolId, Domain: 'auth.example.com' })
    validateInput('CreateUserPoolClient', {
      UserPoolId: poolId,
      ClientName: 'a client',
      ExplicitAuthFlows: ['ALLOW_CLIENT_TOKEN_AUTH'],
    })
    validateInput('SignUp', { ClientId: 'a', Username: 'a', Password: 'in ner' })
    validateInput('ListUsers', { UserPoolId: poolId, Limit: 0 })
    validateInput('ConfirmForgotPassword', {
      ClientId: 'a',
      Username: '日本',
      ConfirmationCode: '1',
      Password: '\u3000',
    })
  })

  for (const [name, operation, input, message] of [
    ['a body that is not an object', 'GetUser', 'text', 'Expected structure or null'],
    ['a null body', 'GetUser', null, 'Expected structure or null'],
    ['a missing body', 'GetUser', undefined, 'Expected structure or null'],
    ['a list as the body', 'GetUser', [], 'Start of list found where not expected'],
    [
      'text for a number',
      'ListUsers',
      { UserPoolId: poolId, Limit: '3' },
      'STRING_VALUE can not be converted to an Integer',
    ],
    ['a fraction for an integer', 'ListUsers', { Limit: 1.5 }, 'NUMBER_VALUE can not be converted to an Integer'],
    [
      'a number above the range of an integer',
      'ListUsers',
      { Limit: 2 ** 31 },
      'NUMBER_VALUE can not be converted to an Integer',
    ],
    ['a number for text', 'GetUser', { AccessToken: 3 }, 'NUMBER_VALUE can not be converted to a String'],
    ['a boolean for text', 'GetUser', { AccessToken: true }, 'TRUE_VALUE can not be converted to a String'],
    ['a list for text', 'GetUser', { AccessToken: [] }, 'Start of list found where not expected'],
    ['an object for text', 'GetUser', { AccessToken: {} }, 'Start of structure or map found where not expected.'],
    [
      'text for a boolean',
      'CreateUserPoolClient',
      { GenerateSecret: 'true' },
      'STRING_VALUE can not be converted to a Boolean',
    ],
    ['text for a list', 'CreateUserPoolClient', { CallbackURLs: 'a' }, 'Expected list or null'],
    ['text for a map', 'InitiateAuth', { AuthParameters: 'a' }, 'Expected map or null'],
    ['a list for a map', 'InitiateAuth', { AuthParameters: [] }, 'Start of list found where not expected'],
    [
      'a number in a map',
      'InitiateAuth',
      { AuthParameters: { A: 1 } },
      'NUMBER_VALUE can not be converted to a String',
    ],
    [
      'a number in a list',
      'CreateUserPoolClient',
      { CallbackURLs: [1] },
      'NUMBER_VALUE can not be converted to a String',
    ],
    ['text for a structure', 'CreateUserPool', { Policies: 'a' }, 'Expected structure or null'],
    [
      'text that is not base64',
      'SetUICustomization',
      { ImageFile: '*' },
      'STRING_VALUE can not be converted to a Blob',
    ],
  ] as const) {
    it(`is not readable with ${name}`, () => cannotRead(operation, input, message))
  }

  it('is not readable with a document of endless depth', () => {
    const deep = JSON.parse(`${'['.repeat(5000)}${']'.repeat(5000)}`)
    cannotRead('CompleteWebAuthnRegistration', { AccessToken: 'a', Credential: deep }, 'Document is nested too deeply')
  })

  for (const [name, operation, input, what, rule] of [
    ['a missing member', 'DeleteUserPool', {}, `Value null at 'userPoolId'`, 'Member must not be null'],
    ['a null member', 'DeleteUserPool', { UserPoolId: null }, `Value null at 'userPoolId'`, 'Member must not be null'],
    ['a missing secret', 'GetUser', {}, `Value null at 'accessToken'`, 'Member must not be null'],
    [
      'a bad pattern',
      'DeleteUserPool',
      { UserPoolId: 'nowhere' },
      `Value 'nowhere' at 'userPoolId'`,
      String.raw`Member must satisfy regular expression pattern: [\w-]+_[0-9a-zA-Z]+`,
    ],
    [
      'a bad secret',
      'GetUser',
      { AccessToken: 'secret token' },
      `Value at 'accessToken'`,
      'Member must satisfy regular expression pattern: [A-Za-z0-9-_=.]+',
    ],
    [
      'a password with a blank at the end',
      'SignUp',
      { ClientId: 'a', Username: 'a', Password: 'secret ' },
      `Value at 'password'`,
      String.raw`Member must satisfy regular expression pattern: [\S]+`,
    ],
    [
      'a number that is too small',
      'ListUserPools',
      { MaxResults: 0 },
      `Value '0' at 'maxResults'`,
      'Member must have value greater than or equal to 1',
    ],
    [
      'a number that is too large',
      'ListUsers',
      { UserPoolId: poolId, Limit: 61 },
      `Value '61' at 'limit'`,
      'Member must have value less than or equal to 60',
    ],
    [
      'a name that is too long',
      'AdminGetUser',
      { UserPoolId: poolId, Username: 'a'.repeat(129) },
      `Value at 'username'`,
      'Member must have length less than or equal to 128',
    ],
    [
      'an unknown enum value',
      'UpdateUserPoolReplica',
      { UserPoolId: poolId, RegionName: 'us-east-1', Status: 'GONE' },
      `Value 'GONE' at 'status'`,
      'Member must satisfy enum value set: [ACTIVE, INACTIVE]',
    ],
    [
      'a missing nested member',
      'AdminUpdateUserAttributes',
      { UserPoolId: poolId, Username: 'a', UserAttributes: [{ Name: 'a' }, {}] },
      `Value null at 'userAttributes.2.member.name'`,
      'Member must not be null',
    ],
    [
      'a long nested secret',
      'AdminUpdateUserAttributes',
      { UserPoolId: poolId, Username: 'a', UserAttributes: [{ Name: 'a', Value: 's'.repeat(2049) }] },
      `Value at 'userAttributes.1.member.value'`,
      'Member must have length less than or equal to 2048',
    ],
    [
      'a nested structure',
      'CreateUserPool',
      { PoolName: 'a', Policies: { PasswordPolicy: { MinimumLength: 5 } } },
      `Value '5' at 'policies.passwordPolicy.minimumLength'`,
      'Member must have value greater than or equal to 6',
    ],
    [
      'a list that is too short',
      'AddCustomAttributes',
      { UserPoolId: poolId, CustomAttributes: [] },
      `Value '[]' at 'customAttributes'`,
      'Member must have length greater than or equal to 1',
    ],
    [
      'a bad list element',
      'CreateUserPool',
      { PoolName: 'a', AliasAttributes: ['email', 'name'] },
      `Value '[email, name]' at 'aliasAttributes'`,
      'Member must satisfy constraint: [Member must satisfy enum value set: [email, phone_number, preferred_username], Member must not be null]',
    ],
    [
      'a null list element',
      'CreateUserPoolClient',
      { UserPoolId: poolId, ClientName: 'a', CallbackURLs: [null] },
      `Value '[null]' at 'callbackURLs'`,
      String.raw`Member must satisfy constraint: [Member must have length less than or equal to 1024, Member must have length greater than or equal to 1, Member must satisfy regular expression pattern: [\p{L}\p{M}\p{S}\p{N}\p{P}]+, Member must not be null]`,
    ],
    [
      'a map key that is too long',
      'TagResource',
      { ResourceArn: 'arn:aws:cognito-idp:us-west-2:000000000000:userpool/a', Tags: { ['k'.repeat(129)]: 'v' } },
      `Value at 'tags'`,
      'Map keys must satisfy constraint: [Member must have length less than or equal to 128, Member must have length greater than or equal to 1]',
    ],
    [
      'a map value that is too long',
      'TagResource',
      { ResourceArn: 'arn:aws:cognito-idp:us-west-2:000000000000:userpool/a', Tags: { k: 'v'.repeat(257) } },
      `Value at 'tags'`,
      'Map value must satisfy constraint: [Member must have length less than or equal to 256, Member must have length greater than or equal to 0]',
    ],
    [
      'a bad structure in a map',
      'CreateUserPool',
      { PoolName: 'a', AcrConfiguration: { Level1: { AcrValue: '' } } },
      `Value '' at 'acrConfiguration.Level1.member.acrValue'`,
      'Member must have length greater than or equal to 1',
    ],
    [
      'a code with a space',
      'ConfirmSignUp',
      { ClientId: 'a', Username: 'a', ConfirmationCode: '123 456' },
      `Value at 'confirmationCode'`,
      String.raw`Member must satisfy regular expression pattern: [\S]+`,
    ],
    [
      'a message without its code',
      'CreateUserPool',
      { PoolName: 'a', SmsVerificationMessage: 'no code here' },
      `Value 'no code here' at 'smsVerificationMessage'`,
      String.raw`Member must satisfy regular expression pattern: .*\{####\}.*`,
    ],
  ] as const) {
    it(`is refused for ${name}`, () => refuses(operation, input, failed(what, rule)))
  }

  it('is refused with all of its violations at once', () => {
    refuses(
      'SignUp',
      { Username: '' },
      String.raw`3 validation errors detected: Value null at 'clientId' failed to satisfy constraint: Member must not be null; Value at 'username' failed to satisfy constraint: Member must have length greater than or equal to 1; Value at 'username' failed to satisfy constraint: Member must satisfy regular expression pattern: [\p{L}\p{M}\p{S}\p{N}\p{P}]+`,
    )
  })

  it('is refused with a bounded message, however many violations it has', () => {
    const attributes = (length: number) => Array.from({ length }, () => ({}))
    const error = refusal('AdminUpdateUserAttributes', {
      UserPoolId: poolId,
      Username: 'a',
      UserAttributes: attributes(200),
    })
    assert.match(error.message, /^20 validation errors detected: /)
    const many = refusal('AdminUpdateUserAttributes', {
      UserPoolId: poolId,
      Username: 'a',
      UserAttributes: attributes(50_000),
    })
    assert.match(many.message, /^1 validation error detected: .*length less than or equal to 200$/)
    const long = refusal('DeleteUserPool', { UserPoolId: 'x'.repeat(1_000_000) })
    assert.ok(long.message.length < 4000)
  })

  it('is not readable with a lone surrogate in any text', () => {
    const lone = 'a\ud800'
    const user = { ClientId: 'client', Username: 'a' }
    for (const input of [
      { ...user, Password: lone },
      { ...user, ClientMetadata: { a: lone } },
      { ...user, ClientMetadata: { [lone]: 'a' } },
      { ...user, UserAttributes: [{ Name: 'name', Value: lone }] },
    ]) {
      cannotRead('SignUp', input, 'Text has a lone surrogate')
    }
    for (const Credential of [lone, { a: [lone] }, { [lone]: 1 }])
      cannotRead('CompleteWebAuthnRegistration', { AccessToken: 'a', Credential }, 'Text has a lone surrogate')
  })

  it('is not readable, rather than refused, when both hold', () => {
    cannotRead('ListUsers', { UserPoolId: '', Limit: 'x' }, 'STRING_VALUE can not be converted to an Integer')
  })
})

describe('any JSON', () => {
  const enums: Enums = allEnums

  const oddities = [null, '', ' ', '\u0000', '\ud800', 'a'.repeat(5000), -1, 1e300, 0.5, true, [], {}, [[]], [null]]
  const hostile = fc.oneof(fc.constantFrom<unknown>(...oddities, { constructor: 1 }), fc.jsonValue())

  const texts = [
    ...[poolId, 'abcdef', 'us-east-1', 'Level1', '123456', 'a@example.com', 'terms-of-use', 'import-1', 'a'.repeat(30)],
    ...['Your code: {####}', 'Press {##here##}', 'us-east-1_0a', '00000000-0000-4000-8000-000000000000'],
    ...['arn:aws:iam::000000000000:role/a', 'arn:aws:s3:::bucket'],
  ]
  const numbers = [1, 5, 8, 60]

  const accepts = ({ min = 0, max = 1e6, matches }: Constraint, value: string | number): boolean => {
    const size = typeof value === 'string' ? value.length : value
    return size >= min && size <= max && (typeof value === 'number' || matches?.(value) !== false)
  }

  /** Mostly valid values for a member, sometimes any JSON. */
  const memberValue = (member: Member, at: string[], depth: number): fc.Arbitrary<unknown> => {
    const rule = at.map((key) => constraints[key]).find((found) => found !== undefined) ?? {}
    const inner = (suffix: string) =>
      memberValue(
        member.of ?? assert.fail(),
        at.map((key) => key + suffix),
        depth - 1,
      )
    const likely = (): fc.Arbitrary<unknown> => {
      switch (member.type) {
        case 'string':
          return member.enum === undefined
            ? fc.constantFrom(...texts.filter((value) => accepts(rule, value)))
            : fc.constantFrom(...(enums[member.enum] ?? []))
        case 'boolean':
          return fc.boolean()
        case 'blob':
          return fc.base64String()
        case 'list':
          return depth > 0 ? fc.array(inner('[]'), { minLength: rule.min ?? 0, maxLength: 3 }) : fc.constant([])
        case 'map':
          return depth > 0 ? fc.dictionary(fc.constantFrom('Level1', '__proto__'), inner('{value}')) : fc.constant({})
        case 'structure':
          return depth > 0 ? structureValue(member.structure ?? '', depth - 1) : fc.constant({})
        case 'document':
          return fc.jsonValue()
        default:
          return fc.constantFrom(...numbers.filter((value) => accepts(rule, value)))
      }
    }
    return fc.oneof({ weight: 60, arbitrary: likely() }, { weight: 1, arbitrary: hostile })
  }

  const structureValue = (name: string, depth: number): fc.Arbitrary<unknown> => {
    const members = Object.entries(structures[name] ?? {})
    const values = members.map(([key, member]) => [key, memberValue(member, [`${name}.${key}`, key], depth)])
    const requiredKeys = members.filter(([, { required }]) => required).map(([key]) => key)
    return fc.record<Record<string, unknown>>(Object.fromEntries(values), { requiredKeys })
  }

  const seed = 20_160_418

  it('is accepted by every operation or refused in one of two ways', () => {
    const accepted = new Set<string>()
    const refused = new Set<string>()
    for (const operation of operationNames) {
      const likelyInput = structureValue(operations[operation].input, 4)
      const either = fc.oneof({ weight: 1, arbitrary: fc.jsonValue() }, { weight: 5, arbitrary: likelyInput })
      const property = fc.property(either, (input) => {
        const body = JSON.parse(JSON.stringify(input))
        try {
          const read = encoded(validateInput(operation, body))
          assert.deepEqual(encoded(validateInput(operation, read)), read)
          accepted.add(operation)
        } catch (error) {
          assert.ok(error instanceof CognitoError, `${operation}: ${String(error)}`)
          assert.match(error.code, /^(InvalidParameterException|SerializationException)$/)
          refused.add(operation)
        }
      })
      fc.assert(property, { seed, numRuns: 60 })
    }
    assert.deepEqual(
      operationNames.filter((operation) => !accepted.has(operation) || !refused.has(operation)),
      [],
    )
  })

  /** The checked input, encoded as JSON again. */
  const encoded = (value: unknown): unknown =>
    JSON.parse(
      JSON.stringify(value, function (this: Record<string, unknown>, key, entry) {
        const original = this[key]
        return Buffer.isBuffer(original) ? original.toString('base64') : entry
      }),
    )

  it('of a megabyte is checked in bounded time by every operation', () => {
    const big = 'a '.repeat(500_000)
    for (const operation of operationNames) {
      const entries = Object.entries(structures[operations[operation].input] ?? {})
      const huge = ({ type, of }: Member): unknown => {
        if (type === 'string' || type === 'document') return big
        if (type === 'map') return of?.type === 'string' ? { [big]: big } : {}
        if (type === 'list') return of?.type === 'string' ? [big] : []
        return type === 'structure' ? {} : type === 'boolean' ? true : type === 'blob' ? '' : 1
      }
      const body = Object.fromEntries(entries.map(([name, member]) => [name, huge(member)]))
      const started = performance.now()
      const { code } = refusal(operation, body)
      const milliseconds = performance.now() - started
      assert.equal(code, 'InvalidParameterException')
      assert.ok(milliseconds < 1000, `${operation}: ${milliseconds} ms`)
    }
  })
})

describe('a KMS input', () => {
  const shapes = model({ structures: kms.structures, enums: kms.enums, constraints: kmsConstraints })

  it('is checked by the same rules', () => {
    const read = validateShape(shapes, 'EncryptRequest', {
      KeyId: 'alias/a',
      Plaintext: 'AA==',
      EncryptionContext: { a: 'b' },
    })
    assert.ok(read.kind === 'valid')
    assert.deepEqual(read.value.Plaintext, Buffer.from([0]))
  })

  it('is refused without repeating the plaintext', () => {
    const read = validateShape(shapes, 'EncryptRequest', {
      KeyId: '',
      Plaintext: Buffer.alloc(4097).toString('base64'),
    })
    assert.ok(read.kind === 'invalid')
    assert.deepEqual(read.violations, [
      `Value '' at 'keyId' failed to satisfy constraint: Member must have length greater than or equal to 1`,
      `Value at 'plaintext' failed to satisfy constraint: Member must have length less than or equal to 4096`,
    ])
  })

  it('is not readable with a wrong type', () => {
    assert.deepEqual(validateShape(shapes, 'CreateKeyRequest', { MultiRegion: 'true' }), {
      kind: 'malformed',
      message: 'STRING_VALUE can not be converted to a Boolean',
    })
  })
})
