import type { Context } from '../context.ts'
import type { PublishedKey } from '../tokens/signing-keys.ts'

/** The public keys that verify a pool's tokens (RFC 7517 §5); undefined if this region does not hold the pool. */
export async function readJwks(
  { signingKeys }: Pick<Context, 'signingKeys'>,
  pool: string,
): Promise<{ keys: PublishedKey[] } | undefined> {
  const keys = await signingKeys.published(pool)
  return keys && { keys }
}
