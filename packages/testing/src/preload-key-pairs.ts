/**
 * `node --import` of this file: `generateKeyPair` of node:crypto gives stored pairs where an RSA pair of a pool is asked
 * for. It reaches a program that runs as a process of its own without a switch in that program.
 */
import crypto from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'
import { promisify } from 'node:util'
import { MODULUS_BITS, takeKeyPair } from './key-pairs.ts'

const generate = promisify(crypto.generateKeyPair) as (type: string, options: object) => Promise<unknown>

const replacement = () => {
  throw new Error('the tests have only the promise of generateKeyPair')
}
Object.defineProperty(replacement, promisify.custom, {
  value: async (type: string, options: { modulusLength?: number }): Promise<unknown> =>
    type === 'rsa' && options.modulusLength === MODULUS_BITS ? takeKeyPair() : generate(type, options),
})
crypto.generateKeyPair = replacement as unknown as typeof crypto.generateKeyPair
syncBuiltinESMExports()
