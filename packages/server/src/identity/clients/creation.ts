import { type Clock, randomText } from '../../clock.ts'
import { type ClientDocument, sealClientSecret } from '../../directory/client.ts'
import type { OpenPool } from '../../directory/open-pool.ts'

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz0123456789'
const ID_LENGTH = 26
const SECRET_LENGTH = 51

export const newClientId = (clock: Clock): string => randomText(clock, ALPHABET, ID_LENGTH)
export const newClientSecret = (clock: Clock): string => randomText(clock, ALPHABET, SECRET_LENGTH)

/** A new entry for `secrets` of a client document. */
export function newSecretEntry(
  clock: Clock,
  openPool: Pick<OpenPool, 'cipher'>,
  { clientId, secret, created }: { clientId: string; secret: string; created: number },
): ClientDocument['secrets'][number] {
  return { id: clock.uuid(), sealed: sealClientSecret(openPool, clientId, secret), created }
}
