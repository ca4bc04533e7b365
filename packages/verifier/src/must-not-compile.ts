/**
 * What a compiler must refuse: a verifier that leaves out what decides about security, or asks for it in a way that would not
 * be heeded. Each line below a `@ts-expect-error` is an error, or the check of types fails; surface.test.ts counts them.
 */

import { requireToken } from './hono.ts'
import { cognitoPool, createVerifier } from './index.ts'
import { httpAuthorizer } from './lambda.ts'

const pool = cognitoPool({ userPoolId: 'us-west-2_Ab1Cd2Ef3' })
const clientIds = ['1example23456789']

const access = createVerifier({ pools: [{ ...pool, tokenUse: 'access', clientIds, scopes: { any: ['notes/read'] } }] })
const id = createVerifier({ pools: [{ ...pool, tokenUse: 'id', clientIds: null }] })

export async function whatMustNotCompile(token: string) {
  // @ts-expect-error the use is left out
  createVerifier({ pools: [{ ...pool, clientIds }] })
  // @ts-expect-error the clients are left out
  createVerifier({ pools: [{ ...pool, tokenUse: 'access' }] })
  // @ts-expect-error the clients are there, and undefined
  createVerifier({ pools: [{ ...pool, tokenUse: 'access', clientIds: undefined }] })
  // @ts-expect-error there is no such use
  createVerifier({ pools: [{ ...pool, tokenUse: 'refresh', clientIds }] })
  // @ts-expect-error the pools are left out
  createVerifier({ maxAgeMs: 1_000 })
  // @ts-expect-error the issuers are left out
  createVerifier({ pools: [{ tokenUse: 'access', clientIds }] })
  // @ts-expect-error misspelled: it would not be heeded
  createVerifier({ pools: [{ ...pool, tokenUse: 'access', clientIds, scope: { any: ['notes/read'] } }] })
  // @ts-expect-error any or all has to be said
  createVerifier({ pools: [{ ...pool, tokenUse: 'access', clientIds, groups: ['editors'] }] })
  // @ts-expect-error ID tokens have no scopes
  createVerifier({ pools: [{ ...pool, tokenUse: 'id', clientIds, scopes: { any: ['notes/read'] } }] })
  // @ts-expect-error ID tokens are bound to no resource
  createVerifier({ pools: [{ ...pool, tokenUse: 'id', clientIds, resources: 'https://api.example' }] })
  // @ts-expect-error a check that forgets to say true
  createVerifier({ pools: [{ ...pool, tokenUse: 'access', clientIds, check: () => {} }] })
  // @ts-expect-error a call cannot ask for less than the pool does
  await access.verify(token, { clientIds: null })
  // @ts-expect-error ID tokens have no scopes
  await id.verify(token, { scopes: { any: ['notes/read'] } })
  // @ts-expect-error access tokens hold no e-mail address
  const email: string = (await access.verify(token)).email
  // @ts-expect-error misspelled: it would not be heeded
  requireToken(access, { group: { any: ['editors'] } })
  // @ts-expect-error the form of the response has to be said
  httpAuthorizer(access, {})
  return email
}
