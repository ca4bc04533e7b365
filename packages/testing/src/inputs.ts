/**
 * Inputs generated from the service model: a well-formed input for each operation, and variants of it that are wrong in many
 * ways.
 */

import type { Member } from '@twinpool/server/internal/aws/shapes'
import { enums, type OperationName, operations, structures } from '@twinpool/server/internal/cognito/shapes.generated'

export type Input = Record<string, unknown>

/** Values for members that require a special format, by `Structure.Member` or `Member`. */
const samples: Record<string, unknown> = {
  AccessToken: 'ey.ey.ey',
  AttributeName: 'email',
  ClientId: '1example23456789',
  ClientSecretId: 'example-secret-id',
  ConfirmationCode: '123456',
  Code: '123456',
  CSS: '.a {}',
  DeviceKey: 'us-west-2_00000000-0000-4000-8000-000000000000',
  Domain: 'example-domain',
  EventId: '00000000-0000-4000-8000-000000000000',
  FeedbackToken: 'ey.ey.ey',
  GroupName: 'example-group',
  Identifier: 'https://example.com',
  IdpIdentifier: 'example-idp',
  JobId: 'import-example',
  JobName: 'example-job',
  ManagedLoginBrandingId: '00000000-0000-4000-8000-000000000000',
  MaxResults: 1,
  Password: 'Example-1-Password',
  PoolName: 'example-pool',
  PreviousPassword: 'Example-1-Password',
  ProposedPassword: 'Example-2-Password',
  ProviderName: 'example-provider',
  RefreshToken: 'example-refresh-token',
  RegionName: 'eu-west-1',
  RequestedLimitValue: 1,
  ResourceArn: 'arn:aws:cognito-idp:us-west-2:000000000000:userpool/us-west-2_Example99',
  CloudWatchLogsRoleArn: 'arn:aws:iam::000000000000:role/example',
  Session: 'example-session-of-some-length',
  SessionId: 'tkn0123456789012345678901234',
  TagKeys: ['example'],
  TermsId: '00000000-0000-4000-8000-000000000000',
  TermsName: 'terms-of-use',
  Token: 'example-refresh-token',
  UserCode: '123456',
  UserPoolId: 'us-west-2_Example99',
  Username: 'example-user',
  // Some operations, such as AssociateSoftwareToken, take an access token or a session.
  'AssociateSoftwareTokenRequest.AccessToken': 'ey.ey.ey',
  'VerifySoftwareTokenRequest.AccessToken': 'ey.ey.ey',
  'AddCustomAttributesRequest.CustomAttributes': [{ Name: 'example', AttributeDataType: 'String' }],
}

/** Members that are optional in the model but that an operation requires. */
const alsoGiven: Partial<Record<OperationName, readonly string[]>> = {
  AssociateSoftwareToken: ['AccessToken'],
  ForgetDevice: ['AccessToken'],
  GetDevice: ['AccessToken'],
  UpdateManagedLoginBranding: ['UserPoolId'],
  VerifySoftwareToken: ['AccessToken'],
}

export const inputOf = (operation: OperationName): Readonly<Record<string, Member>> =>
  structures[operations[operation].input] as Readonly<Record<string, Member>>

/** The smallest valid input of an operation; values of `known` replace the sample values. */
export function wellFormed(operation: OperationName, known: Input = {}): Input {
  const structure = operations[operation].input
  const input: Input = {}
  for (const [name, member] of Object.entries(inputOf(operation))) {
    if (!member.required && !alsoGiven[operation]?.includes(name)) continue
    input[name] = Object.hasOwn(known, name) ? known[name] : sampleOf(structure, name, member)
  }
  return input
}

function sampleOf(structure: string, name: string, member: Member): unknown {
  const own = samples[`${structure}.${name}`] ?? samples[name]
  if (own !== undefined) return own
  switch (member.type) {
    case 'string':
      return member.enum === undefined ? 'example' : enums[member.enum as keyof typeof enums]?.[0]
    case 'integer':
    case 'long':
    case 'double':
      return 1
    case 'timestamp':
      return 1_700_000_000
    case 'boolean':
      return true
    case 'blob':
      return 'ZXhhbXBsZQ=='
    case 'document':
      return {}
    case 'list':
      return [sampleOf(structure, name, member.of as Member)]
    case 'map':
      return { example: sampleOf(structure, name, member.of as Member) }
    case 'structure':
      return Object.fromEntries(
        Object.entries(structures[member.structure as string] ?? {})
          .filter(([, inner]) => inner.required)
          .map(([inner, shape]) => [inner, sampleOf(member.structure as string, inner, shape)]),
      )
  }
}

/** Values that a caller may send in place of any member. The worst result may be a refusal. */
export const strange: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -1,
  1.5,
  2 ** 31,
  -(2 ** 63),
  Number.MAX_SAFE_INTEGER + 2,
  1e308,
  '',
  ' ',
  'x'.repeat(3_000),
  '\u0000',
  'a\u0000b',
  '\ud800',
  '\udfff\ud800',
  '😀'.repeat(50),
  "'; drop table row_user; --",
  '../../../../etc/passwd',
  '{{7*7}}<script>alert(1)</script>',
  '__proto__',
  '%00%0d%0aSet-Cookie: a=b',
  '\r\nx-injected: 1',
  [],
  [null],
  [[]],
  ['x'],
  [1],
  [{}],
  {},
  { a: 1 },
  { a: null },
  { __proto__: null, constructor: { prototype: {} } },
]
