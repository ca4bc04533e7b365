import type { PoolCipher } from '../keys/pool-keys.ts'
import type { Client } from './client.ts'
import type { Pool, PoolDocument } from './pool.ts'

/** A pool with the cipher that seals and opens its rows and tokens. */
export interface OpenPool {
  pool: Pool
  cipher: PoolCipher
}

/**
 * How a pool stores groups, memberships, sign-outs and templates (docs/decisions/sealing.md). Once the pool's key has proved that the
 * pool is sealed, the form in the pool document is not trusted: an attacker who can write to the database can change it.
 */
export const formOf = ({ pool, cipher }: OpenPool): Form => (cipher.isSealed ? 'sealed' : pool.document.form)

export type Form = PoolDocument['form']

/** The part of OpenPool that sealing and opening need; createPool has one before the pool exists. */
export interface PoolSeal extends Pick<OpenPool, 'cipher'> {
  pool: Pick<Pool, 'id'>
}

/** An app client of an open pool. */
export interface OpenClient extends OpenPool {
  client: Client
}
