/**
 * oidc-provider with its in-memory adapter, configured so that a refresh does the same as in a user pool: it issues an ID
 * token and a JWT access token, both signed with RS256, and keeps the refresh token.
 */
import { generateKeyPairSync } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import Provider from 'oidc-provider'

const CLIENT = 'bench'
const RESOURCE = 'urn:twinpool:bench'
const PEOPLE = 100

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const provider = new Provider('http://127.0.0.1', {
  clients: [
    {
      client_id: CLIENT,
      token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code', 'refresh_token'],
      redirect_uris: ['https://app.example/callback'],
      id_token_signed_response_alg: 'RS256',
    },
  ],
  jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), kid: 'bench', use: 'sig', alg: 'RS256' }] },
  rotateRefreshToken: false,
  conformIdTokenClaims: false,
  claims: { openid: ['sub'], email: ['email', 'email_verified'] },
  findAccount: (_: unknown, accountId: string) => ({
    accountId,
    claims: () => ({ sub: accountId, email: `${accountId}@example.com`, email_verified: true }),
  }),
  features: {
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => RESOURCE,
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({
        scope: 'api',
        accessTokenFormat: 'jwt',
        audience: CLIENT,
        jwt: { sign: { alg: 'RS256' } },
      }),
    },
  },
})

const client = await provider.Client.find(CLIENT)
const refreshTokens: string[] = []
for (let at = 0; at < PEOPLE; at += 1) {
  const accountId = `person-${at}`
  const grant = new provider.Grant({ accountId, clientId: CLIENT })
  grant.addOIDCScope('openid email offline_access')
  grant.addResourceScope(RESOURCE, 'api')
  const token = new provider.RefreshToken({
    accountId,
    client,
    grantId: await grant.save(),
    scope: 'openid email offline_access api',
    resource: RESOURCE,
    gty: 'authorization_code',
    authTime: Math.floor(Date.now() / 1000),
  })
  refreshTokens.push(await token.save())
}

const server = provider.listen(0, '127.0.0.1', () => {
  process.send?.({
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    client: CLIENT,
    refreshTokens,
  })
})
process.once('disconnect', () => process.exit(0))
