import type { Clock } from '../../clock.ts'
import { KeyUnavailableError } from '../provider.ts'
import type { KeyArns } from './arns.ts'
import type { KeyRecord, SealedMaterial } from './key-record.ts'
import { openBox, sealBox } from './sealed-box.ts'

/** The secrets of a key ring, newest first; they may be replaced while it runs. */
export interface RingSecrets {
  /** 32 bytes each. Together with the database they give access to every key. */
  masterKeys: readonly Buffer[]
  /** Empty: multi-Region keys stay in the region where they were created. */
  clusterSecrets: readonly string[]
}

/** Key material on its way into and out of the store, where it is sealed under the region's master key. */
export interface KeyMaterial {
  /** Generates the first material of a new key. */
  create(id: string): SealedMaterial
  /** Binds the material to the key's ARN and the version: it opens for nothing else. */
  seal(id: string, version: number, plain: Buffer): SealedMaterial
  /** By version. Throws KeyUnavailableError when it was sealed under another master key. */
  open(record: Pick<KeyRecord, 'id' | 'materials'>): Map<number, Buffer>
  /** The materials sealed again under the new master key; undefined if all of them are. Throws KeyUnavailableError. */
  reseal(record: Pick<KeyRecord, 'id' | 'materials'>): SealedMaterial[] | undefined
}

export const FIRST_VERSION = 1
const MATERIAL_BYTES = 32

/** @param secrets the new master key and, while it is replaced, the old one; the new one seals, either opens */
export function createKeyMaterial({
  secrets,
  clock,
  arns: { region, keyArn },
}: {
  secrets: Pick<RingSecrets, 'masterKeys'>
  clock: Pick<Clock, 'randomBytes'>
  arns: KeyArns
}): KeyMaterial {
  const binding = (id: string, version: number): string => `${keyArn(id)}\n${version}`

  const seal: KeyMaterial['seal'] = (id, version, plain) => ({
    version,
    sealed: sealBox(secrets.masterKeys[0] as Buffer, clock, plain, binding(id, version)).toString('base64'),
  })
  const openWith = (masterKeys: readonly Buffer[], id: string, { version, sealed }: SealedMaterial) => {
    for (const masterKey of masterKeys) {
      const plain = openBox(masterKey, Buffer.from(sealed, 'base64'), binding(id, version))
      if (plain) return plain
    }
    return undefined
  }
  const open: KeyMaterial['open'] = ({ id, materials }) =>
    new Map(
      materials.map((sealed) => {
        const plain = openWith(secrets.masterKeys, id, sealed)
        if (plain) return [sealed.version, plain]
        throw new KeyUnavailableError(
          `the master key of ${region} does not open ${keyArn(id)}: another master key, or the store of another region`,
        )
      }),
    )
  return {
    seal,
    create: (id) => seal(id, FIRST_VERSION, clock.randomBytes(MATERIAL_BYTES)),
    open,
    reseal: (record) => {
      const [newest] = secrets.masterKeys
      if (record.materials.every((sealed) => openWith([newest as Buffer], record.id, sealed))) return undefined
      return [...open(record)].map(([version, plain]) => seal(record.id, version, plain))
    },
  }
}
