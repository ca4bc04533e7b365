import type { PoolCipher } from '../keys/pool-keys.ts'
import type { Client } from './client.ts'
import type { Pool } from './pool.ts'

/** A pool with the cipher that seals and opens its rows and tokens. */
export interface OpenPool {
  pool: Pool
  cipher: PoolCipher
}

/** The part of OpenPool that sealing and opening need; createPool has one before the pool exists. */
export interface PoolSeal extends Pick<OpenPool, 'cipher'> {
  pool: Pick<Pool, 'id'>
}

/** An app client of an open pool. */
export interface OpenClient extends OpenPool {
  client: Client
}
