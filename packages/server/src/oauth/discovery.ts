import { Hono, type Context as HonoContext } from 'hono'
import { cors } from 'hono/cors'
import type { Context } from '../context.ts'
import type { Pool } from '../directory/pool.ts'
import { isPoolId, issuerOf } from '../tokens/issuer.ts'
import { readJwks } from './jwks.ts'

/** A new key is published long before it signs, so verifiers may cache the documents for an hour. */
const CACHE_CONTROL = 'public, max-age=3600'

/**
 * The documents that token verifiers read: `/<poolId>/.well-known/jwks.json` and `/<poolId>/.well-known/openid-configuration`. Every
 * region that holds the pool returns the same documents, even while its replica is INACTIVE.
 */
export function createDiscovery(
  context: Pick<Context, 'pools' | 'signingKeys' | 'endpoint' | 'endpoints' | 'issuerBase'>,
): Hono {
  const app = new Hono()
  app.use('/:pool/.well-known/*', cors({ origin: '*', allowMethods: ['GET', 'HEAD', 'OPTIONS'], maxAge: 86_400 }))
  app.get('/:pool/.well-known/jwks.json', async (c) => {
    const pool = await findHeld(context, c.req.param('pool'))
    return respond(c, pool && (await readJwks(context, pool.id)))
  })
  app.get('/:pool/.well-known/openid-configuration', async (c) => {
    const pool = await findHeld(context, c.req.param('pool'))
    return respond(c, pool && describeConfiguration(context, pool))
  })
  return app
}

/** Finds a pool that this region holds completely: its first copy has finished, and it is not being deleted. */
async function findHeld({ pools }: Pick<Context, 'pools'>, id: string): Promise<Pool | undefined> {
  const pool = isPoolId(id) ? await pools.find(id) : undefined
  return pool && (pool.status === 'ACTIVE' || pool.status === 'INACTIVE') ? pool : undefined
}

/** OpenID Connect Discovery 1.0 §3, without the endpoints of the authorization server: these belong to a domain. */
function describeConfiguration(issuers: Pick<Context, 'endpoint' | 'endpoints' | 'issuerBase'>, pool: Pool) {
  const issuer = issuerOf(issuers, pool.id, pool.document.IssuerConfiguration?.Type)
  return {
    id_token_signing_alg_values_supported: ['RS256'],
    issuer,
    jwks_uri: `${issuer}/.well-known/jwks.json`,
    response_types_supported: ['code', 'token'],
    scopes_supported: ['openid', 'email', 'phone', 'profile'],
    subject_types_supported: ['public'],
    token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post'],
  }
}

function respond(c: HonoContext, document: object | undefined): Response {
  if (document) return c.json(document, 200, { 'cache-control': CACHE_CONTROL })
  return c.json({ message: 'User pool does not exist.' }, 404, { 'cache-control': 'no-store' })
}
