import { adminGetUser } from './cases/admin-get-user.ts'
import type { Case } from './cases/case.ts'
import { existence } from './cases/existence.ts'
import { firstCopy } from './cases/first-copy.ts'
import { getUser } from './cases/get-user.ts'
import { growth } from './cases/growth.ts'
import { listUsers } from './cases/list-users.ts'
import { memory } from './cases/memory.ts'
import { password } from './cases/password.ts'
import { refresh } from './cases/refresh.ts'
import { replicationLag } from './cases/replication-lag.ts'
import { signUp } from './cases/sign-up.ts'
import { srp } from './cases/srp.ts'
import { verifier } from './cases/verifier.ts'

/** All benchmarks, in the order of docs/benchmarks.md. */
export const cases: readonly Case[] = [
  refresh,
  password,
  srp,
  existence,
  getUser,
  adminGetUser,
  signUp,
  listUsers,
  verifier,
  replicationLag,
  firstCopy,
  memory,
  growth,
]
