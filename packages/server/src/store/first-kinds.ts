/**
 * The kinds of the first released schema. Frozen: the first migrations create exactly these tables, and a region that does not
 * report its kinds is assumed to know exactly these (replication/known-kinds.ts). Later kinds are in kinds.ts only.
 */
export interface FirstKind {
  /** Whether rows of the kind are replicated. */
  travels: boolean
  index: readonly string[]
  byKey: boolean
}

const USER_INDEX = [
  'username',
  'email',
  'phone_number',
  'name',
  'given_name',
  'family_name',
  'preferred_username',
  'user_status',
  'enabled',
]

// biome-ignore format: a table
export const firstKinds: Readonly<Record<string, FirstKind>> = {
  topology:         { travels: true,  index: [],                    byKey: false },
  replica:          { travels: true,  index: [],                    byKey: false },
  pool:             { travels: true,  index: ['name'],              byKey: false },
  'data-key':       { travels: true,  index: [],                    byKey: false },
  'signing-key':    { travels: true,  index: [],                    byKey: false },
  client:           { travels: true,  index: ['name'],              byKey: true },
  domain:           { travels: true,  index: [],                    byKey: true },
  user:             { travels: true,  index: USER_INDEX,            byKey: false },
  credential:       { travels: true,  index: ['sub'],               byKey: false },
  alias:            { travels: true,  index: ['sub'],               byKey: false },
  code:             { travels: true,  index: ['sub'],               byKey: false },
  group:            { travels: true,  index: [],                    byKey: false },
  member:           { travels: true,  index: ['group_name', 'sub'], byKey: false },
  revocation:       { travels: true,  index: [],                    byKey: false },
  rotation:         { travels: true,  index: [],                    byKey: false },
  'sign-out':       { travels: true,  index: [],                    byKey: false },
  settings:         { travels: false, index: [],                    byKey: false },
  'prefix-domain':  { travels: false, index: [],                    byKey: true },
  'kms-key':        { travels: false, index: [],                    byKey: false },
  'kms-alias':      { travels: false, index: [],                    byKey: false },
}
