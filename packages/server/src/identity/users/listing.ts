import type { UserStatusType } from '@aws-sdk/client-cognito-identity-provider'
import type { Context } from '../../context.ts'
import { indexOf, normalize } from '../../directory/alias.ts'
import type { OpenPool } from '../../directory/open-pool.ts'
import { columnOf, fold, openUser, type User, withoutLostNames } from '../../directory/user.ts'
import { invalidParameter } from '../../errors.ts'
import { INDEXED_ATTRIBUTES, type IndexedAttribute, type IndexOf } from '../../store/kinds.ts'
import { openPageToken, pageSize, sealPageToken } from '../page-token.ts'

/** A parsed filter: `attribute = "value"`, or `attribute ^= "value"` (`prefix`). The name may stand in quotes, too. */
interface Filter {
  attribute: Attribute
  prefix: boolean
  value: string
}

const ATTRIBUTES = [...INDEXED_ATTRIBUTES, 'cognito:user_status', 'status', 'sub'] as const
type Attribute = (typeof ATTRIBUTES)[number]

const STATUSES = [
  'ARCHIVED',
  'COMPROMISED',
  'CONFIRMED',
  'EXTERNAL_PROVIDER',
  'FORCE_CHANGE_PASSWORD',
  'RESET_REQUIRED',
  'UNCONFIRMED',
  'UNKNOWN',
] as const satisfies UserStatusType[]

/**
 * The number of rows that one call scans when no index matches its filter (`^=` on an attribute: rows are sealed, and an index
 * finds equal values only). A call that reaches the bound returns a short page, possibly empty, and a token, which the API
 * allows: https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_ListUsers.html
 */
const SCAN = { rows: 2_000, batch: 250 }

/**
 * Lists users in the order of their subs. Throws InvalidParameterException for an invalid filter or token.
 */
export async function listUsers(
  context: Pick<Context, 'store' | 'clock'>,
  openPool: OpenPool,
  {
    filter: text = '',
    limit,
    token,
  }: { filter?: string | undefined; limit?: number | undefined; token?: string | undefined },
  scan = SCAN,
): Promise<{ users: User[]; token: string | undefined }> {
  const filter = parseFilter(text)
  const size = pageSize(limit)
  const list = ['ListUsers', text]
  let after = openPageToken(context, openPool, { list, token })
  const query = queryOf(openPool, filter)
  if (!query) return { users: [], token: undefined }
  // One extra row shows whether there is a next page.
  const batch = query.exact ? size + 1 : scan.batch
  const next = (): string => sealPageToken(context, openPool, { list, after: after as string })
  const users: User[] = []
  for (let seen = 0; seen < scan.rows; ) {
    const rows = await listRows(context.store, openPool, query, { after, limit: batch })
    for (const row of rows) {
      const opened = openUser(openPool, row)
      const user =
        opened && openPool.pool.isCopiedAgain ? await withoutLostNames(context.store, openPool, opened) : opened
      if (user && query.matches(user)) {
        if (users.length === size) return { users, token: next() }
        users.push(user)
      }
      after = row.key
    }
    if (rows.length < batch) return { users, token: undefined }
    seen += rows.length
  }
  return { users, token: next() }
}

/** Returns undefined for a blank filter, which matches every user. Throws InvalidParameterException. */
function parseFilter(text: string): Filter | undefined {
  if (text.trim() === '') return undefined
  const match = /^\s*("?)([\w:]+)\1\s*(\^?=)\s*"((?:[^"\\]|\\.)*)"\s*$/su.exec(text)
  if (!match) throw invalidParameter('Error while parsing filter')
  const [, , name = '', operator, value = ''] = match
  const attribute = ATTRIBUTES.find((known) => known === name)
  if (!attribute) throw invalidParameter(`Invalid search attribute: ${name}`)
  return { attribute, prefix: operator === '^=', value: value.replace(/\\(.)/gsu, '$1') }
}

/** The rows of all conditions of a query, in the order of their keys. */
async function listRows(
  store: Context['store'],
  { pool }: OpenPool,
  { where, prefix }: Query,
  { after, limit }: { after: string | undefined; limit: number },
) {
  const found = await Promise.all(
    where.map((condition) =>
      store.list('user', { pool: pool.id, where: condition, ...(prefix && { prefix }), after, limit }),
    ),
  )
  if (found.length === 1) return found[0] as (typeof found)[number]
  const rows = new Map(found.flat().map((row) => [row.key, row]))
  return [...rows.values()].sort((a, b) => (a.key < b.key ? -1 : 1)).slice(0, limit)
}

type Condition = Partial<Record<IndexOf<'user'>, string>>

interface Query {
  /** A row that meets any of these conditions is read. */
  where: [Condition, ...Condition[]]
  prefix?: string
  /** Whether an index finds the rows, so that every row matches unless its columns were altered. */
  exact: boolean
  matches(user: User): boolean
}

/** The store query for a filter; undefined when no user can match. */
function queryOf(openPool: OpenPool, filter: Filter | undefined): Query | undefined {
  if (!filter) return { where: [{}], exact: true, matches: () => true }
  const { attribute, prefix, value } = filter
  switch (attribute) {
    case 'sub':
      if (!/^[0-9a-f-]{0,36}$/i.test(value) || (!prefix && value.length < 36)) return undefined
      return { where: [{}], prefix: fold(value), exact: true, matches: () => true }
    case 'status':
      return oneOf(
        openPool,
        'enabled',
        ['Enabled', 'Disabled'].filter((word) => (prefix ? word.startsWith(value) : word === value)),
        {
          indexed: (word) => String(word === 'Enabled'),
          matches: (user, words) => words.includes(user.enabled ? 'Enabled' : 'Disabled'),
        },
      )
    case 'cognito:user_status': {
      const wanted = value.toUpperCase()
      return oneOf(
        openPool,
        'user_status',
        STATUSES.filter((word) => (prefix ? word.startsWith(wanted) : word === wanted)),
        {
          indexed: (word) => word,
          matches: (user, words) => words.includes(user.status),
        },
      )
    }
    default: {
      const comparable = (text: string): string =>
        attribute === 'username' ? normalize(openPool.pool, attribute, text) : fold(text)
      const wanted = comparable(value)
      return {
        where: prefix ? [{}] : conditionsOf(openPool, attribute, value),
        exact: !prefix,
        // Also where an index found the row: an index column is not sealed.
        matches: ({ username, attributes }) => {
          const present = attribute === 'username' ? username : attributes[attribute]
          if (present === undefined) return false
          return prefix ? comparable(present).startsWith(wanted) : comparable(present) === wanted
        },
      }
    }
  }
}

/**
 * Rows of earlier builds have the hash of the value as it was written: they are found in this spelling, and in lower case if it
 * was lower case. Their next write corrects the hash.
 */
function conditionsOf(openPool: OpenPool, attribute: IndexedAttribute, value: string): Query['where'] {
  const condition: Condition = { [attribute]: columnOf(openPool, attribute, value) }
  const asWritten = indexOf(openPool, attribute, value)
  return asWritten === condition[attribute] ? [condition] : [condition, { [attribute]: asWritten }]
}

/** A column with few values: the index finds one value; several values need a scan. */
function oneOf<Word extends string>(
  openPool: OpenPool,
  column: 'enabled' | 'user_status',
  words: readonly Word[],
  { indexed, matches }: { indexed(word: Word): string; matches(user: User, words: readonly Word[]): boolean },
): Query | undefined {
  const [first, second] = words
  if (first === undefined) return undefined
  const exact = second === undefined
  return {
    where: [exact ? { [column]: openPool.cipher.index(column, indexed(first)) } : {}],
    exact,
    matches: (user) => matches(user, words),
  }
}
