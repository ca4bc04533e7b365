/** What each operation's examples presume. */
import {
  AdminDeleteUserCommand,
  AdminGetUserCommand,
  ConfirmSignUpCommand,
  type CreateUserPoolClientCommandInput,
  type CreateUserPoolCommandInput,
  CreateUserPoolDomainCommand,
  CreateUserPoolReplicaCommand,
  DeleteGroupCommand,
  DeleteUserPoolClientCommand,
  DeleteUserPoolCommand,
  ForgotPasswordCommand,
  GetUserAttributeVerificationCodeCommand,
  type GroupType,
  ListGroupsCommand,
  ListUserPoolClientsCommand,
  ListUserPoolsCommand,
  ListUsersCommand,
  type SchemaAttributeType,
  SetUserPoolMfaConfigCommand,
  TagResourceCommand,
  type UserPoolType,
  type UserType,
} from '@aws-sdk/client-cognito-identity-provider'
import type { OperationName } from '@twinpool/server/internal/cognito/shapes.generated'
import { people } from '@twinpool/testing/people'
import { createPool } from '@twinpool/testing/pools'
import { createKey, replicaIs } from '@twinpool/testing/replicas'
import type { Scene } from './scene.ts'

type Preparation = (scene: Scene) => Promise<unknown>

const EMAIL_SENDER = {
  EmailSendingAccount: 'DEVELOPER',
  SourceArn: 'arn:aws:ses:us-west-2:123456789012:identity/admin@example.com',
} as const

/** A pool alone. */
const pool: Preparation = (scene) => scene.createPool()

/** A user with the documented name. */
const user: Preparation = async (scene) => {
  await scene.createPool()
  await scene.createUser(String(scene.input.Username), { email: 'diego@example.com', email_verified: 'true' })
}

/** A signed-in user. */
const signedIn: Preparation = async (scene) => {
  await scene.createPool()
  await scene.createClient({ WriteAttributes: ['nickname', 'custom:department'] })
  await scene.createUser('johndoe', { email: 'anna@example.com', 'custom:department': 'Sales' })
  await scene.signIn('johndoe')
}

const group: Preparation = async (scene) => {
  await scene.createPool()
  await scene.createGroup({
    ...(scene.example.output as { Group?: GroupType })?.Group,
    GroupName: String(scene.input.GroupName),
  })
}

const member: Preparation = async (scene) => {
  await group(scene)
  await scene.createUser(String(scene.input.Username))
}

const client: Preparation = async (scene) => {
  await scene.createPool()
  await scene.createClient()
}

const domain: Preparation = async (scene) => {
  await scene.createPool()
  const { Domain, CustomDomainConfig } = scene.input as {
    Domain: string
    CustomDomainConfig?: { CertificateArn: string }
  }
  await scene.cognito.send(new CreateUserPoolDomainCommand({ UserPoolId: scene.pool, Domain, CustomDomainConfig }))
}

/** A user who has just signed up and has been sent a code. */
const signedUp: Preparation = async (scene) => {
  await scene.createPool({ AutoVerifiedAttributes: ['email'] })
  await scene.createClient()
  await scene.signUp(String(scene.input.Username), { email: 'jane@example.com' })
  if (scene.input.ConfirmationCode) scene.input.ConfirmationCode = scene.plane.codeFor('jane@example.com')
}

const tagged: Preparation = async (scene) => {
  await scene.createPool()
  const Tags = { administrator: 'Jie', tenant: 'ExampleCorp' }
  await scene.cognito.send(new TagResourceCommand({ ResourceArn: String(scene.input.ResourceArn), Tags }))
}

/** A pool with a replica in the region of the input, or in the documented one. */
async function replicated(scene: Scene, { replica }: { replica: string | undefined }): Promise<void> {
  const keyed = { ...scene.plane, primary: scene.region }
  const KeyConfiguration = { KeyType: 'CUSTOMER_MANAGED_KEY', KmsKeyArn: await createKey(keyed) } as const
  await scene.createPool({ KeyConfiguration, IssuerConfiguration: { Type: 'UPDATED' } })
  if (replica === undefined) return
  await scene.cognito.send(new CreateUserPoolReplicaCommand({ UserPoolId: scene.pool, RegionName: replica }))
}

const inactiveReplica: Preparation = async (scene) => {
  const name = String(scene.input.RegionName)
  await replicated(scene, { replica: name })
  await replicaIs({ region: scene.region, pool: scene.pool, name, status: 'INACTIVE' })
}

/** The settings of a described pool as the input of CreateUserPool. */
function settingsOf(shown: UserPoolType): Partial<CreateUserPoolCommandInput> {
  const { Id, Arn, CreationDate, LastModifiedDate, EstimatedNumberOfUsers, Domain, CustomDomain, Name, ...rest } = shown
  const { SchemaAttributes = [], ...settings } = rest
  const own = SchemaAttributes.filter(({ Name = '' }) => Name.includes(':')).map((attribute) => ({
    ...attribute,
    Name: attribute.Name?.split(':').at(-1),
  }))
  const required = SchemaAttributes.filter(({ Name = '', Required }) => Required && Name !== 'sub')
  return { ...settings, PoolName: Name, Schema: [...required, ...own] as SchemaAttributeType[], UserPoolTier: 'PLUS' }
}

/** The three documented users, and the ones before and after their page. */
async function listedUsers(scene: Scene): Promise<void> {
  await scene.createPool({ AutoVerifiedAttributes: ['email'] })
  const { cognito, pool: UserPoolId } = scene
  for (const { Username = '', Attributes, UserStatus } of (scene.example.output as { Users: UserType[] }).Users) {
    const email = Attributes?.find(({ Name }) => Name === 'email')?.Value ?? ''
    await scene.signUp(Username, { email })
    if (UserStatus !== 'CONFIRMED') continue
    const ConfirmationCode = scene.plane.codeFor(email)
    await cognito.send(new ConfirmSignUpCommand({ ClientId: scene.client?.id, Username, ConfirmationCode }))
  }
  const list = (more: object) =>
    cognito.send(new ListUsersCommand({ UserPoolId, Filter: String(scene.input.Filter), ...more }))
  const remove = (Username: string) => cognito.send(new AdminDeleteUserCommand({ UserPoolId, Username }))
  const create = (Username: string) => async () => {
    await scene.createUser(Username, { email: `${Username}@example.com` })
    return Username
  }
  if (scene.input.PaginationToken !== undefined) {
    await scene.createOutside(create('testuser-before'), remove, async (name) => {
      const page = await list({ Limit: 1 })
      scene.input.PaginationToken = page.PaginationToken
      return page.Users?.[0]?.Username === name
    })
  }
  await scene.createOutside(create('testuser-after'), remove, async (name) => {
    const { Users, PaginationToken } = await list({ Limit: 3, PaginationToken: scene.input.PaginationToken })
    return !Users?.some(({ Username }) => Username === name) && PaginationToken !== undefined
  })
  scene.input.AttributesToGet ??= ['sub', 'email']
}

export const preparations: Partial<Record<OperationName, Preparation>> = {
  AddCustomAttributes: async (scene) => {
    await scene.createPool({ Schema: [{ Name: 'other', AttributeDataType: 'String' }] })
  },
  AdminAddUserToGroup: member,
  AdminConfirmSignUp: signedUp,
  AdminCreateUser: pool,
  AdminDeleteUser: user,
  AdminDeleteUserAttributes: user,
  AdminDisableUser: user,
  AdminEnableUser: user,
  AdminGetUser: async (scene) => {
    await scene.createPool({ UsernameAttributes: ['email'] })
    await scene.invite('jane@example.com', {
      email_verified: 'true',
      phone_number_verified: 'true',
      phone_number: '+11115551212',
    })
    const found = await scene.cognito.send(
      new AdminGetUserCommand({ UserPoolId: scene.pool, Username: 'jane@example.com' }),
    )
    scene.known.set((scene.example.output as { Username: string }).Username, String(found.Username))
  },
  AdminListGroupsForUser: async (scene) => {
    await user(scene)
    for (const settings of (scene.example.output as { Groups: GroupType[] }).Groups) {
      await scene.createGroup(settings)
      await scene.addToGroup(String(scene.input.Username), String(settings.GroupName))
    }
  },
  AdminRemoveUserFromGroup: async (scene) => {
    await member(scene)
    await scene.addToGroup(String(scene.input.Username), String(scene.input.GroupName))
  },
  AdminResetUserPassword: user,
  AdminSetUserPassword: user,
  AdminUpdateUserAttributes: user,
  AdminUserGlobalSignOut: user,
  ChangePassword: signedIn,
  ConfirmForgotPassword: async (scene) => {
    await user(scene)
    const ClientId = (await scene.createClient()).id
    await scene.cognito.send(new ForgotPasswordCommand({ ClientId, Username: String(scene.input.Username) }))
    scene.input.ConfirmationCode = scene.plane.codeFor('diego@example.com')
  },
  ConfirmSignUp: signedUp,
  CreateGroup: pool,
  CreateUserPool: async () => {},
  CreateUserPoolClient: pool,
  CreateUserPoolDomain: pool,
  CreateUserPoolReplica: (scene) => replicated(scene, { replica: undefined }),
  DeleteGroup: group,
  DeleteUser: signedIn,
  DeleteUserAttributes: signedIn,
  DeleteUserPool: pool,
  DeleteUserPoolClient: client,
  DeleteUserPoolDomain: domain,
  DeleteUserPoolReplica: inactiveReplica,
  DescribeUserPool: async (scene) => {
    await scene.createPool(settingsOf(scene.documented))
    const CustomDomainConfig = { CertificateArn: 'arn:aws:acm:us-east-1:123456789012:certificate/example' }
    await scene.cognito.send(
      new CreateUserPoolDomainCommand({ UserPoolId: scene.pool, Domain: 'auth2.example.com', CustomDomainConfig }),
    )
    scene.known.set('auth.example.com', 'auth2.example.com')
  },
  DescribeUserPoolClient: async (scene) => {
    await scene.createPool()
    const { UserPoolId, ClientId, ClientSecret, CreationDate, LastModifiedDate, ...settings } = scene.documented
    await scene.createClient({ ...(settings as Partial<CreateUserPoolClientCommandInput>), GenerateSecret: true })
  },
  DescribeUserPoolDomain: async (scene) => {
    await domain(scene)
    scene.known.set(String(scene.documented.UserPoolId), scene.pool)
  },
  ForgotPassword: async (scene) => {
    await scene.createPool()
    await scene.createClient()
    await scene.createUser('jane@example.com', { email: 'jane@example.com', email_verified: 'true' })
  },
  GetGroup: group,
  GetUser: async (scene) => {
    await scene.createPool()
    const { UserAttributes = [] } = scene.example.output as { UserAttributes?: { Name: string; Value: string }[] }
    const attributes = Object.fromEntries(UserAttributes.map(({ Name, Value }) => [Name, Value]))
    const { sub, identities, ...own } = attributes
    await scene.createClient({ ReadAttributes: Object.keys(own) })
    await scene.createUser('johndoe', own)
    await scene.signIn('johndoe')
  },
  GetUserAttributeVerificationCode: signedIn,
  GetUserPoolMfaConfig: async (scene) => {
    await scene.createPool({ EmailConfiguration: EMAIL_SENDER })
    const config = scene.example.output as object
    await scene.cognito.send(new SetUserPoolMfaConfigCommand({ UserPoolId: scene.pool, ...config }))
  },
  GlobalSignOut: signedIn,
  InitiateAuth: async (scene) => {
    await client(scene)
    await scene.createUser('testuser')
  },
  ListGroups: async (scene) => {
    await scene.createPool()
    const { cognito, pool: UserPoolId } = scene
    for (const settings of (scene.example.output as { Groups: GroupType[] }).Groups) {
      await scene.createGroup({ ...settings, GroupName: settings.GroupName?.replace('us-west-2_EXAMPLE', UserPoolId) })
    }
    let tries = 0
    await scene.createOutside(
      async () => {
        tries += 1
        await scene.createGroup({ GroupName: `other-${tries}` })
        return `other-${tries}`
      },
      (GroupName) => cognito.send(new DeleteGroupCommand({ UserPoolId, GroupName })),
      async (name) => {
        const { Groups } = await cognito.send(new ListGroupsCommand({ UserPoolId, Limit: 2 }))
        return !Groups?.some(({ GroupName }) => GroupName === name)
      },
    )
  },
  ListTagsForResource: tagged,
  ListUserPoolClients: async (scene) => {
    await scene.createPool()
    const { cognito, pool: UserPoolId } = scene
    for (const name of ['app-client-1', 'app-client-2', 'app-client-3']) await scene.createClient({ ClientName: name })
    await scene.createOutside(
      async () => (await scene.createClient({ ClientName: 'app-client-4' })).id,
      (ClientId) => cognito.send(new DeleteUserPoolClientCommand({ UserPoolId, ClientId })),
      async (id) => {
        const page = await cognito.send(new ListUserPoolClientsCommand({ UserPoolId, MaxResults: 3 }))
        return !page.UserPoolClients?.some(({ ClientId }) => ClientId === id)
      },
    )
  },
  ListUserPoolReplicas: (scene) => replicated(scene, { replica: 'ap-south-1' }),
  ListUserPools: async (scene) => {
    const { cognito } = scene
    const documented: string[] = []
    for (const { Name, LambdaConfig } of (scene.example.output as { UserPools: UserPoolType[] }).UserPools) {
      documented.push(await createPool(scene.region, { PoolName: Name, LambdaConfig }))
    }
    const remove = (UserPoolId: string) => cognito.send(new DeleteUserPoolCommand({ UserPoolId }))
    const isOutside = async (id: string) => {
      const page = await cognito.send(new ListUserPoolsCommand({ MaxResults: 3 }))
      return !page.UserPools?.some(({ Id }) => Id === id)
    }
    await scene
      .createOutside(() => createPool(scene.region), remove, isOutside)
      .catch(async (error: unknown) => {
        await Promise.all(documented.map(remove))
        throw error
      })
  },
  ListUsers: listedUsers,
  ListUsersInGroup: async (scene) => {
    await scene.createPool({
      UsernameAttributes: ['email'],
      Schema: [{ Name: 'CustomAttr1', AttributeDataType: 'String' }],
    })
    const group = String(scene.input.GroupName)
    await scene.createGroup({ GroupName: group })
    for (const { Username = '', Attributes = [], UserStatus } of (scene.example.output as { Users: UserType[] })
      .Users) {
      const attributes = Object.fromEntries(Attributes.map(({ Name, Value }) => [Name, Value])) as Record<
        string,
        string
      >
      const { sub, ...own } = attributes
      const name = String(own.email)
      await (UserStatus === 'CONFIRMED' ? scene.createUser(name, own) : scene.invite(name, own))
      await scene.addToGroup(name, group)
      const found = await scene.cognito.send(new AdminGetUserCommand({ UserPoolId: scene.pool, Username: name }))
      scene.known.set(Username, String(found.Username))
    }
  },
  ResendConfirmationCode: signedUp,
  RespondToAuthChallenge: async (scene) => {
    await client(scene)
    await scene.invite('jane@example.com')
    const parameters = { USERNAME: 'jane@example.com', PASSWORD: 'Correct-Horse-7' }
    const { Session } = await people(scene.region).begin(
      { id: String(scene.input.ClientId) },
      'USER_PASSWORD_AUTH',
      parameters,
    )
    scene.input.Session = Session
  },
  RevokeToken: async (scene) => {
    await client(scene)
    await scene.createUser('johndoe')
    await scene.signIn('johndoe')
  },
  SetUserPoolMfaConfig: async (scene) => {
    await scene.createPool({ EmailConfiguration: EMAIL_SENDER })
  },
  SignUp: client,
  TagResource: pool,
  UntagResource: tagged,
  UpdateGroup: group,
  UpdateUserAttributes: signedIn,
  UpdateUserPool: async (scene) => {
    await scene.createPool({ UserPoolTier: 'PLUS' })
  },
  UpdateUserPoolClient: client,
  UpdateUserPoolDomain: domain,
  UpdateUserPoolReplica: inactiveReplica,
  VerifyUserAttribute: async (scene) => {
    await signedIn(scene)
    const { AccessToken } = scene.input as { AccessToken: string }
    await scene.cognito.send(new GetUserAttributeVerificationCodeCommand({ AccessToken, AttributeName: 'email' }))
    scene.input.Code = scene.plane.codeFor('anna@example.com')
  },
}
