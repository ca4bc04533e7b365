/**
 * Code that the compiler must reject: options that omit a value that security depends on, or that would be ignored.
 * Each line below a `@ts-expect-error` is an error, or the type check fails; surface.test.ts counts them.
 */

import { requireToken } from './hono.ts'
import { cognitoPool, createVerifier } from './index.ts'
import { httpAuthorizer } from './lambda.ts'

const pool = cognitoPool({ userPoolId: 'us-west-2_Ab1Cd2Ef3' })
const clientIds = ['1example23456789']

const access = createVerifier({ pools: [{ ...pool, tokenUse: 'access', clientIds, scopes: { any: ['notes/read'] } }] })
const id = createVerifier({ pools: [{ ...pool, tokenUse: 'id', clientIds: null }] })

export async function whatMustNotCompile(token: string) {
  // @ts-expect-error tokenUse is missing
  createVerifier({ pools: [{ ...pool, clientIds }] })
  // @ts-expect-error clientIds is missing
  createVerifier({ pools: [{ ...pool, tokenUse: 'access' }] })
  // @ts-expect-error clientIds is present but undefined
  createVerifier({ pools: [{ ...pool, tokenUse: 'access', clientIds: undefined }] })
  // @ts-expect-error there is no such tokenUse
  createVerifier({ pools: [{ ...pool, tokenUse: 'refresh', clientIds }] })
  // @ts-expect-error pools is missing
  createVerifier({ maxAgeMs: 1_000 })
  // @ts-expect-error issuers is missing
  createVerifier({ pools: [{ tokenUse: 'access', clientIds }] })
  // @ts-expect-error misspelled: it would be ignored
  createVerifier({ pools: [{ ...pool, tokenUse: 'access', clientIds, scope: { any: ['notes/read'] } }] })
  // @ts-expect-error `any` or `all` is required
  createVerifier({ pools: [{ ...pool, tokenUse: 'access', clientIds, groups: ['editors'] }] })
  // @ts-expect-error ID tokens have no scopes
  createVerifier({ pools: [{ ...pool, tokenUse: 'id', clientIds, scopes: { any: ['notes/read'] } }] })
  // @ts-expect-error ID tokens are not bound to a resource
  createVerifier({ pools: [{ ...pool, tokenUse: 'id', clientIds, resources: 'https://api.example' }] })
  // @ts-expect-error the check never returns true
  createVerifier({ pools: [{ ...pool, tokenUse: 'access', clientIds, check: () => {} }] })
  // @ts-expect-error a call cannot relax the pool's requirements
  await access.verify(token, { clientIds: null })
  // @ts-expect-error ID tokens have no scopes
  await id.verify(token, { scopes: { any: ['notes/read'] } })
  // @ts-expect-error access tokens have no e-mail address
  const email: string = (await access.verify(token)).email
  // @ts-expect-error misspelled: it would be ignored
  requireToken(access, { group: { any: ['editors'] } })
  // @ts-expect-error response is missing
  httpAuthorizer(access, {})
  return email
}
