import type { Clock } from './clock.ts'
import type { Pools } from './directory/pool.ts'
import type { Events } from './events/events.ts'
import type { Lockout } from './identity/credentials/lockout.ts'
import type { OpenUsers } from './identity/sessions/token-holder.ts'
import type { PoolKeys } from './keys/pool-keys.ts'
import type { KeyProvider } from './keys/provider.ts'
import type { Messenger } from './messages/messenger.ts'
import type { Store } from './store/store.ts'
import type { Throttling } from './store/throttling.ts'
import type { VerifiedTokens } from './tokens/access.ts'
import type { JwtSigner } from './tokens/jwt.ts'
import type { SigningKeys } from './tokens/signing-keys.ts'

/**
 * What one region is made of. A function says in its first line which of these it needs:
 * `({ store, clock }: Pick<Context, 'store' | 'clock'>, ...)`.
 */
export interface Context {
  region: string
  accountId: string
  parity: 'aws' | 'extended'
  /** Base URL of this region's API, without a slash at the end. */
  endpoint: string
  /** Base URL of each region's API, this one's included: ORIGINAL issuers name the primary's. */
  endpoints: Readonly<Record<string, string>>
  /** Base URL of UPDATED issuers, without a slash at the end. */
  issuerBase: string
  clock: Clock
  store: Store
  pools: Pools
  keys: PoolKeys
  signingKeys: SigningKeys
  signer: JwtSigner
  verifiedTokens: VerifiedTokens
  openUsers: OpenUsers
  lockout: Lockout
  keyProvider: KeyProvider
  /** ARN of the key that pools without a key of their own are wrapped under. */
  serviceKeyArn: string
  throttling: Throttling
  messenger: Messenger
  events: Events
}
