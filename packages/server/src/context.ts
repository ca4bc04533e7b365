import type { Clock } from './clock.ts'
import type { Pools } from './directory/pool.ts'
import type { Events } from './events/events.ts'
import type { Lockout } from './identity/credentials/lockout.ts'
import type { OpenUsers } from './identity/sessions/token-holder.ts'
import type { DeferredWork } from './identity/users/deferred-work.ts'
import type { PoolKeys } from './keys/pool-keys.ts'
import type { KeyProvider } from './keys/provider.ts'
import type { Destinations } from './messages/destinations.ts'
import type { Messenger } from './messages/messenger.ts'
import type { Store } from './store/store.ts'
import type { Throttling } from './store/throttling.ts'
import type { VerifiedTokens } from './tokens/access.ts'
import type { JwtSigner } from './tokens/jwt.ts'
import type { PoolClock } from './tokens/pool-clock.ts'
import type { SigningKeys } from './tokens/signing-keys.ts'

/**
 * The parts of one region. A function declares the parts that it needs in its first parameter:
 * `({ store, clock }: Pick<Context, 'store' | 'clock'>, ...)`.
 */
export interface Context {
  region: string
  accountId: string
  parity: 'aws' | 'extended'
  /** Base URL of this region's API, without a trailing slash. */
  endpoint: string
  /** Base URL of each region's API, including this region: an ORIGINAL issuer is the endpoint of the region in the pool's id. */
  endpoints: Readonly<Record<string, string>>
  /** Base URL of UPDATED issuers, without a trailing slash. */
  issuerBase: string
  clock: Clock
  store: Store
  pools: Pools
  poolClock: PoolClock
  keys: PoolKeys
  signingKeys: SigningKeys
  signer: JwtSigner
  verifiedTokens: VerifiedTokens
  openUsers: OpenUsers
  lockout: Lockout
  deferredWork: DeferredWork
  keyProvider: KeyProvider
  /** ARN of the key that wraps the data keys of pools without a customer managed key. */
  serviceKeyArn: string
  throttling: Throttling
  messenger: Messenger
  destinations: Destinations
  events: Events
}
