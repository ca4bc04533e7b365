import { KmsError } from '../errors.ts'
import { readKeyId } from '../key-id.ts'
import type { Handler } from '../types.ts'

const DAYS = 30

export const ScheduleKeyDeletion: Handler<'ScheduleKeyDeletion'> = async ({ keyRing }, input) => {
  const days = input.PendingWindowInDays ?? DAYS
  if (days < 7 || days > 30) {
    throw new KmsError('ValidationException', 'PendingWindowInDays must be between 7 and 30 days.')
  }
  const { id, state, deletion } = await keyRing.scheduleDeletion(readKeyId(keyRing, input.KeyId), days)
  return {
    KeyId: keyRing.keyArn(id),
    ...(deletion?.at != null && { DeletionDate: new Date(deletion.at) }),
    KeyState: state,
    PendingWindowInDays: days,
  }
}
