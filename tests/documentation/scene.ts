/** Creates the objects that a documented call presumes, and puts their ids into its input. */
import {
  AdminAddUserToGroupCommand,
  AdminCreateUserCommand,
  type AttributeType,
  type CognitoIdentityProviderClient,
  CreateGroupCommand,
  type CreateUserPoolCommandInput,
  DescribeUserPoolCommand,
  SignUpCommand,
} from '@aws-sdk/client-cognito-identity-provider'
import type { OperationName } from '@twinpool/server/internal/cognito/shapes.generated'
import { people } from '@twinpool/testing/people'
import { createClient, createPool, createUser, PASSWORD, secretHash, type TestClient } from '@twinpool/testing/pools'
import type { Plane, RunningRegion } from '@twinpool/testing/regions'
import type { Example, Input } from './example.ts'

export const NEW_PASSWORD = 'Battery-Staple-8'

/** Words that stand for a password in the documentation. */
const PASSWORDS: Record<string, string> = {
  OldPassword: PASSWORD,
  '[Password]': PASSWORD,
  PASSWORD: NEW_PASSWORD,
  NewPassword: NEW_PASSWORD,
}

const CUSTOM = ['CustomAttr1', 'CustomAttr2', 'department', 'state'].map(
  (Name) => ({ Name, AttributeDataType: 'String' }) as const,
)

/** A name of an object in the documentation that the plane does not have. */
const PLACEHOLDER = 'us-west-2_none'

/** A list of all pools of a region is played in a region of its own. */
const REGION_OF: Partial<Record<OperationName, string>> = { ListUserPools: 'sa-east-1' }

const TRIES = 40

/** The ids of the documented objects happen to be so high that hardly any object comes after them: prepare the example again. */
export class NoneOutsideError extends Error {
  constructor() {
    super('no object was outside the page')
    this.name = 'NoneOutsideError'
  }
}

export class Scene {
  readonly plane: Plane
  readonly example: Example
  readonly region: RunningRegion
  readonly input: Input
  /** Documented ids, and the ids that stand for them. */
  readonly known = new Map<string, string>()
  pool = PLACEHOLDER
  client: TestClient | undefined

  constructor(plane: Plane, example: Example) {
    this.plane = plane
    this.example = example
    this.input = structuredClone(example.input)
    const id = String(this.input.UserPoolId ?? this.documented.Id)
    const named = REGION_OF[example.operation] ?? /^[a-z]{2}-[a-z]+-\d(?=_)/.exec(id)?.[0] ?? 'us-west-2'
    const region = plane.regions.find(({ name }) => name === named)
    if (!region) throw new Error(`no region ${named}`)
    this.region = region
  }

  get cognito(): CognitoIdentityProviderClient {
    return this.region.cognito
  }

  /** The documented output, without the structure around its only member. */
  get documented(): Record<string, unknown> {
    return Object.values((this.example.output ?? {}) as Record<string, Record<string, unknown>>)[0] ?? {}
  }

  async createPool(settings: Partial<CreateUserPoolCommandInput> = {}): Promise<string> {
    this.pool = await createPool(this.region, { Schema: CUSTOM, ...settings })
    for (const member of ['UserPoolId', 'ResourceArn'] as const) {
      const documented = /[a-z0-9-]+_\w+$/.exec(String(this.input[member]))?.[0]
      if (documented !== undefined) this.known.set(documented, this.pool)
    }
    if (this.input.UserPoolId !== undefined) this.input.UserPoolId = this.pool
    if (this.input.ResourceArn !== undefined) {
      const { UserPool } = await this.cognito.send(new DescribeUserPoolCommand({ UserPoolId: this.pool }))
      this.input.ResourceArn = UserPool?.Arn
    }
    return this.pool
  }

  async createClient(settings: Parameters<typeof createClient>[2] = {}): Promise<TestClient> {
    this.client = await createClient(this.region, this.pool, settings)
    if (this.input.ClientId !== undefined) this.input.ClientId = this.client.id
    return this.client
  }

  async createUser(username: string, attributes: Record<string, string> = {}): Promise<void> {
    await createUser(this.region, this.pool, { username, attributes: listOf(attributes) })
  }

  /** Creates a user with a temporary password, as an administrator does. */
  async invite(username: string, attributes: Record<string, string> = {}): Promise<void> {
    await this.cognito.send(
      new AdminCreateUserCommand({
        UserPoolId: this.pool,
        Username: username,
        TemporaryPassword: PASSWORD,
        MessageAction: 'SUPPRESS',
        UserAttributes: listOf(attributes),
      }),
    )
  }

  async signUp(username: string, attributes: Record<string, string> = {}): Promise<void> {
    const client = this.client ?? (await this.createClient())
    await this.cognito.send(
      new SignUpCommand({
        ClientId: client.id,
        Username: username,
        Password: PASSWORD,
        UserAttributes: listOf(attributes),
        ...(client.secret !== undefined && { SecretHash: secretHash(client, username) }),
      }),
    )
  }

  async createGroup(settings: { GroupName?: string; Description?: string; RoleArn?: string; Precedence?: number }) {
    await this.cognito.send(
      new CreateGroupCommand({
        UserPoolId: this.pool,
        GroupName: settings.GroupName,
        Description: settings.Description,
        RoleArn: settings.RoleArn,
        Precedence: settings.Precedence,
      }),
    )
  }

  async addToGroup(username: string, group: string): Promise<void> {
    await this.cognito.send(
      new AdminAddUserToGroupCommand({ UserPoolId: this.pool, Username: username, GroupName: group }),
    )
  }

  /** Signs a user in, and puts the tokens into the input. */
  async signIn(username: string): Promise<void> {
    const tokens = await people(this.region).signIn(this.client ?? (await this.createClient()), { username })
    if (this.input.AccessToken !== undefined) this.input.AccessToken = tokens.AccessToken
    if (this.input.Token !== undefined) this.input.Token = tokens.RefreshToken
  }

  /** Puts passwords in the place of the words that stand for them. */
  fillInPasswords(): void {
    const replace = (values: Input): void => {
      for (const [name, value] of Object.entries(values)) {
        if (typeof value === 'string' && /password/i.test(name)) values[name] = PASSWORDS[value] ?? value
        else if (typeof value === 'object' && value !== null) replace(value as Input)
      }
    }
    replace(this.input)
  }

  /**
   * Creates an object that a list returns outside the documented page: the order of a list is by generated ids, so it tries until
   * the object has such an id.
   */
  async createOutside(
    create: () => Promise<string>,
    remove: (id: string) => Promise<unknown>,
    isOutside: (id: string) => Promise<boolean>,
  ): Promise<string> {
    for (let left = TRIES; left > 0; left -= 1) {
      const id = await create()
      if (await isOutside(id)) return id
      await remove(id)
    }
    throw new NoneOutsideError()
  }
}

const listOf = (attributes: Record<string, string>): AttributeType[] =>
  Object.entries(attributes).map(([Name, Value]) => ({ Name, Value }))
