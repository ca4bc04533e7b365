import type { Clock } from '../../clock.ts'
import { KeyUnavailableError } from '../provider.ts'
import type { KeyArns } from './arns.ts'
import type { KeyRecord, SealedMaterial } from './key-record.ts'
import { openBox, sealBox } from './sealed-box.ts'

/** Key material on its way into and out of the store, where it is sealed under the region's master key. */
export interface KeyMaterial {
  /** Generates the first material of a new key. */
  create(id: string): SealedMaterial
  /** Binds the material to the key's ARN and the version: it opens for nothing else. */
  seal(id: string, version: number, plain: Buffer): SealedMaterial
  /** By version. Throws KeyUnavailableError when it was sealed under another master key. */
  open(record: Pick<KeyRecord, 'id' | 'materials'>): Map<number, Buffer>
}

export const FIRST_VERSION = 1
const MATERIAL_BYTES = 32

/** @param masterKey 32 bytes */
export function createKeyMaterial({
  masterKey,
  clock,
  arns: { region, keyArn },
}: {
  masterKey: Buffer
  clock: Pick<Clock, 'randomBytes'>
  arns: KeyArns
}): KeyMaterial {
  if (masterKey.length !== 32) throw new Error('the master key must be 32 bytes')
  const binding = (id: string, version: number): string => `${keyArn(id)}\n${version}`

  const seal: KeyMaterial['seal'] = (id, version, plain) => ({
    version,
    sealed: sealBox(masterKey, clock, plain, binding(id, version)).toString('base64'),
  })
  return {
    seal,
    create: (id) => seal(id, FIRST_VERSION, clock.randomBytes(MATERIAL_BYTES)),
    open: ({ id, materials }) =>
      new Map(
        materials.map(({ version, sealed }) => {
          const plain = openBox(masterKey, Buffer.from(sealed, 'base64'), binding(id, version))
          if (!plain) throw new KeyUnavailableError(`the master key of ${region} does not open ${keyArn(id)}`)
          return [version, plain]
        }),
      ),
  }
}
