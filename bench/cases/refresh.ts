import type { Work } from '../load.ts'
import { callOf } from '../signed.ts'
import { type Service, signIn } from '../stage.ts'
import { type Case, compareAll } from './case.ts'
import { inTurn } from './turns.ts'

const PEOPLE = 100

export const refresh: Case = {
  name: 'refresh',
  title: 'Refresh: new access and ID tokens for a refresh token',
  run: async (stage) => {
    const ours = await stage.twinpool({ users: PEOPLE, passwords: PEOPLE })
    const local = await stage.cognitoLocal({ users: PEOPLE })
    const raw = await stage.raw()
    const provider = await stage.oidcProvider()
    const grants = provider.refreshTokens.map((refresh_token) => ({
      path: '/token',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: String(new URLSearchParams({ grant_type: 'refresh_token', client_id: provider.client, refresh_token })),
    }))
    const subjects = [
      { name: 'twinpool', ...ours, work: await byRefreshToken(ours) },
      { name: 'raw', ...raw, work: inTurn([{ path: '/sign-2', headers: {}, body: '{}' }]) },
      { name: 'oidc-provider', ...provider, work: inTurn(grants) },
      { name: 'cognito-local', ...local, work: await byRefreshToken(local) },
    ]
    return compareAll(stage, subjects, {
      notes: [
        'raw: a bare server that creates two RS256 signatures with 2048 bits.',
        'oidc-provider keeps its grants in memory and issues an RS256 ID token and an RS256 access token, so it also creates two signatures; cognito-local creates three.',
      ],
    })
  },
}

async function byRefreshToken(service: Service): Promise<Work> {
  const tokens = await signIn(service, PEOPLE)
  return inTurn(
    tokens.map(({ RefreshToken }) =>
      callOf('InitiateAuth', {
        AuthFlow: 'REFRESH_TOKEN_AUTH',
        ClientId: service.client,
        AuthParameters: { REFRESH_TOKEN: RefreshToken },
      }),
    ),
  )
}
