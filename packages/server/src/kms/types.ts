import type { InputOf, OutputOf } from '../aws/shapes.ts'
import type { Clock } from '../clock.ts'
import type { LocalKeyRing } from '../keys/local/ring.ts'
import type { OperationName } from './shapes.generated.ts'

export interface KmsContext {
  keyRing: LocalKeyRing
  clock: Pick<Clock, 'now' | 'randomBytes'>
  region: string
  accountId: string
}

// Types only: the SDK is a development dependency and is not loaded at run time.
type Sdk = typeof import('@aws-sdk/client-kms')

export type Input<Name extends OperationName> = InputOf<Sdk[`${Name}Command`]>
export type Output<Name extends OperationName> = OutputOf<Sdk[`${Name}Command`]>

export type Handler<Name extends OperationName> = (kms: KmsContext, input: Input<Name>) => Promise<Output<Name>>
