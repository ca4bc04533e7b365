import { passwordCall, type Service } from '../stage.ts'
import { type Case, compareAll } from './case.ts'
import { inTurn } from './turns.ts'

const PEOPLE = 100

export const password: Case = {
  name: 'password',
  title: 'USER_PASSWORD_AUTH: a sign-in by password',
  run: async (stage) => {
    const ours = await stage.twinpool({ users: PEOPLE, passwords: PEOPLE })
    const local = await stage.cognitoLocal({ users: PEOPLE })
    const raw = await stage.raw()
    const signIns = ({ client }: Service) => inTurn(Array.from({ length: PEOPLE }, (_, at) => passwordCall(client, at)))
    const subjects = [
      { name: 'twinpool', ...ours, work: signIns(ours) },
      { name: 'raw', ...raw, work: inTurn([{ path: '/password', headers: {}, body: '{}' }]) },
      { name: 'cognito-local', ...local, work: signIns(local) },
    ]
    return compareAll(stage, subjects, {
      notes: [
        'raw: a bare server that makes one modular exponentiation over 3072 bits (the check of the password) and two RS256 signatures.',
        'cognito-local compares plain text, and signs three times. It keeps every refresh token in the one JSON file of the pool, which it writes at each sign-in, so it slows down as the run goes on.',
      ],
    })
  },
}
