/**
 * For `node --import`: makes `generateKeyPair` of node:crypto return stored pairs for the RSA pairs of pools. Works in a program
 * that runs in its own process, without an option in that program.
 */
import crypto from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'
import { promisify } from 'node:util'
import { MODULUS_BITS, takeKeyPair } from './key-pairs.ts'

const generate = promisify(crypto.generateKeyPair) as (type: string, options: object) => Promise<unknown>

const replacement = () => {
  throw new Error('only the promisified generateKeyPair is replaced')
}
Object.defineProperty(replacement, promisify.custom, {
  value: async (type: string, options: { modulusLength?: number }): Promise<unknown> =>
    type === 'rsa' && options.modulusLength === MODULUS_BITS ? takeKeyPair() : generate(type, options),
})
crypto.generateKeyPair = replacement as unknown as typeof crypto.generateKeyPair
syncBuiltinESMExports()
