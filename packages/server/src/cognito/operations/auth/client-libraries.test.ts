import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { createClient, createPool, createUser, PASSWORD, type TestClient } from '@twinpool/testing/pools'
import { engines, type Plane, startRegions } from '@twinpool/testing/regions'
import {
  AuthenticationDetails,
  CognitoUser,
  CognitoUserPool,
  type CognitoUserSession,
} from 'amazon-cognito-identity-js'
import { Amplify } from 'aws-amplify'
import { fetchAuthSession, getCurrentUser, signIn, signOut } from 'aws-amplify/auth'

for (const engine of engines) {
  describe(`client libraries on ${engine}`, () => {
    let plane: Plane
    let pool: string
    let client: TestClient
    let sub: string

    before(async () => {
      plane = await startRegions({ engine, regions: ['us-west-2'] })
      pool = await createPool(plane.primary)
      client = await createClient(plane.primary, pool)
      sub = await createUser(plane.primary, pool, { username: 'ada' })
    })
    after(() => plane.stop())

    describe('amazon-cognito-identity-js', () => {
      const userNamed = (Username: string): CognitoUser => {
        const Pool = new CognitoUserPool({ UserPoolId: pool, ClientId: client.id, endpoint: plane.primary.endpoint })
        return new CognitoUser({ Username, Pool })
      }
      const authenticate = (user: CognitoUser, Password: string, newPassword?: string): Promise<CognitoUserSession> =>
        new Promise((onSuccess, onFailure) => {
          const Username = user.getUsername()
          user.authenticateUser(new AuthenticationDetails({ Username, Password }), {
            onSuccess,
            onFailure,
            newPasswordRequired: () => {
              if (newPassword === undefined) return onFailure(new Error('a new password is required'))
              user.completeNewPasswordChallenge(newPassword, {}, { onSuccess, onFailure })
            },
          })
        })

      it('signs in by SRP and refreshes', async () => {
        const user = userNamed('ada')
        const session = await authenticate(user, PASSWORD)
        assert.equal(session.getIdToken().payload.sub, sub)
        assert.ok(session.isValid())
        const refreshed = await new Promise<CognitoUserSession>((resolve, reject) => {
          user.refreshSession(session.getRefreshToken(), (error, result) => (error ? reject(error) : resolve(result)))
        })
        assert.equal(refreshed.getIdToken().payload.sub, sub)
        assert.notEqual(refreshed.getAccessToken().getJwtToken(), session.getAccessToken().getJwtToken())
      })

      it('is refused with a wrong password', async () => {
        await assert.rejects(authenticate(userNamed('ada'), 'Wrong-Horse-7'), { name: 'NotAuthorizedException' })
      })

      it('sets a new password in place of a temporary one', async () => {
        await createUser(plane.primary, pool, { username: 'grace', temporary: true })
        await authenticate(userNamed('grace'), PASSWORD, 'Battery-Staple-8')
        await authenticate(userNamed('grace'), 'Battery-Staple-8')
      })
    })

    describe('aws-amplify', () => {
      before(() => {
        Amplify.configure({
          Auth: {
            Cognito: { userPoolId: pool, userPoolClientId: client.id, userPoolEndpoint: plane.primary.endpoint },
          },
        })
      })

      it('signs in by SRP, refreshes and signs out', async () => {
        const { isSignedIn } = await signIn({
          username: 'ada',
          password: PASSWORD,
          options: { authFlowType: 'USER_SRP_AUTH' },
        })
        assert.equal(isSignedIn, true)
        assert.equal((await getCurrentUser()).userId, sub)
        const { tokens } = await fetchAuthSession({ forceRefresh: true })
        assert.equal(tokens?.accessToken.payload.username, 'ada')
        await signOut({ global: true })
        await assert.rejects(getCurrentUser(), { name: 'UserUnAuthenticatedException' })
      })

      it('is refused with a wrong password', async () => {
        await assert.rejects(signIn({ username: 'ada', password: 'Wrong-Horse-7' }), {
          name: 'NotAuthorizedException',
        })
      })
    })
  })
}
