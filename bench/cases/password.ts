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
        'raw: a bare server that computes one 3072-bit modular exponentiation (the password check) and two RS256 signatures.',
        'cognito-local compares plain text and creates three signatures. It keeps all refresh tokens in one JSON file per pool, which it rewrites at each sign-in, so it becomes slower during the run.',
      ],
    })
  },
}
