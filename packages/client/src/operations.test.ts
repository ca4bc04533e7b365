import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as sdk from '@aws-sdk/client-cognito-identity-provider'
import { operationOf, type SdkCommand } from './command.ts'
import { UnknownCommandError } from './errors.ts'
import { OPERATIONS, planOf, rowOf, UNKNOWN_OPERATION } from './operations.ts'

type CommandClass = new (input: object) => SdkCommand

const words = (text: string) => text.trim().split(/\s+/).sort()

/** Served by a replica while INACTIVE and ACTIVE. */
const INACTIVE = words(`
  DescribeUserPool UpdateUserPool ListUserPools GetUserPoolMfaConfig SetUserPoolMfaConfig GetSigningCertificate
  DescribeUserPoolClient ListUserPoolClients ListUserPoolClientSecrets CreateUserPoolDomain
  DescribeUserPoolDomain UpdateUserPoolDomain DeleteUserPoolDomain AdminGetUser ListUsers
  AdminListUserAuthEvents AdminGetDevice AdminListDevices GetGroup ListGroups ListUsersInGroup
  AdminListGroupsForUser DescribeResourceServer ListResourceServers DescribeIdentityProvider
  ListIdentityProviders DescribeManagedLoginBranding DescribeManagedLoginBrandingByClient DescribeTerms
  ListTerms GetUICustomization DescribeRiskConfiguration SetRiskConfiguration GetLogDeliveryConfiguration
  SetLogDeliveryConfiguration TagResource UntagResource ListTagsForResource ListUserPoolReplicas
  UpdateUserPoolReplica DeleteUserPoolReplica
`)

/** Served by a replica only while ACTIVE. */
const ACTIVE = words(`
  AdminUserGlobalSignOut AdminUpdateAuthEventFeedback GetUser UpdateAuthEventFeedback InitiateAuth
  RespondToAuthChallenge AdminInitiateAuth AdminRespondToAuthChallenge GetTokensFromRefreshToken RevokeToken
  GlobalSignOut GetUserAuthFactors GetDevice ListDevices ListWebAuthnCredentials GetIdentityProviderByIdentifier
`)

const commands = Object.entries(sdk as unknown as Record<string, CommandClass>)
  .filter(([name]) => name.endsWith('Command') && name !== '$Command')
  .map(([name, Command]) => ({ operation: name.replace(/Command$/, ''), Command }))

const rows = Object.entries(OPERATIONS)
const portable = { portable: true }

test('the table has exactly the operations of the SDK', () => {
  assert.deepEqual(Object.keys(OPERATIONS).sort(), commands.map(({ operation }) => operation).sort())
  assert.equal(rows.length, 140)
})

test('the table matches the operations that a replica serves', () => {
  const gated = (gate: string) => rows.filter(([, { replica }]) => replica === gate).map(([operation]) => operation)
  assert.deepEqual(gated('I').sort(), INACTIVE)
  assert.deepEqual(gated('A').sort(), ACTIVE)
})

test('operations that only the primary serves are never sent to a replica', () => {
  for (const [operation, { replica, route }] of rows) {
    if (replica === 'P') assert.ok(route === 'primary' || route === 'regional', operation)
  }
})

test('no write may go to any region, except feedback', () => {
  const anywhere = rows
    .filter(([, { kind, route }]) => kind === 'write' && route === 'any')
    .map(([operation]) => operation)
  assert.deepEqual(anywhere, ['AdminUpdateAuthEventFeedback', 'UpdateAuthEventFeedback'])
})

test('reads and writes of the same regional setting have the same route', () => {
  for (const setting of [
    'UserPool',
    'UserPoolDomain',
    'RiskConfiguration',
    'LogDeliveryConfiguration',
    'UserPoolMfaConfig',
  ]) {
    const routes = rows.filter(([operation]) => operation.replace(/^[A-Z][a-z]+/, '') === setting)
    assert.ok(routes.length >= 2, setting)
    for (const [operation, { route }] of routes) assert.equal(route, 'regional', operation)
  }
})

test('an operation that is not in the table is a write to the primary', () => {
  assert.equal(rowOf('TeleportUser'), UNKNOWN_OPERATION)
  assert.equal(rowOf('constructor'), UNKNOWN_OPERATION)
})

test('InitiateAuth with a refresh flow is of kind refresh', () => {
  for (const AuthFlow of ['REFRESH_TOKEN_AUTH', 'REFRESH_TOKEN']) {
    assert.equal(planOf({ operation: 'InitiateAuth', input: { AuthFlow } }, portable).kind, 'refresh')
    assert.equal(planOf({ operation: 'AdminInitiateAuth', input: { AuthFlow } }, portable).kind, 'refresh')
  }
})

test('a sign-in with the Session of ConfirmSignUp goes to the region that issued it', () => {
  const plan = planOf({ operation: 'InitiateAuth', input: { AuthFlow: 'USER_AUTH', Session: 's' } }, portable)
  assert.deepEqual(plan, { operation: 'InitiateAuth', kind: 'signIn', route: 'asker', challenge: 's' })
})

test('every command is recognised under a minified class name, with and without its schema', () => {
  for (const { operation, Command } of commands) {
    const minify = () => {
      const Minified = { a: class extends (Command as new (input: object) => object) {} }.a
      return new Minified({}) as SdkCommand
    }
    const client = new sdk.CognitoIdentityProviderClient({ region: 'us-west-2' })
    assert.equal(operationOf(minify(), client), operation)
    const older = minify()
    delete (older as { schema?: unknown }).schema
    assert.equal(operationOf(older, client), operation)
    client.destroy()
  }
})

test('an object that is not a command throws UnknownCommandError', () => {
  const client = { send: async () => ({}) }
  assert.throws(() => operationOf({ input: {} } as SdkCommand, client), UnknownCommandError)
})
