import type { Clock } from '../clock.ts'
import type { Events } from '../events/events.ts'
import type { LocalKeyRing } from '../keys/local-key-ring.ts'
import type { OperationName } from './shapes.generated.ts'

export interface KmsContext {
  keyRing: LocalKeyRing
  clock: Pick<Clock, 'now' | 'monotonic' | 'randomBytes'>
  events: Pick<Events, 'requested' | 'failed'>
  region: string
  accountId: string
}

// Types only: the SDK is a development dependency, and nothing of it is loaded.
type Sdk = typeof import('@aws-sdk/client-kms')
type Command<Name extends OperationName> = InstanceType<Sdk[`${Name}Command`]>

type SdkInput<Name extends OperationName> = Command<Name> extends { readonly input: infer I } ? I : never
type SdkOutput<Name extends OperationName> =
  Command<Name> extends {
    resolveMiddleware(...args: never[]): (...args: never[]) => Promise<{ output: infer O }>
  }
    ? O
    : never

/** The SDK writes a required member as `Member: T | undefined` and an optional one as `Member?: T | undefined`. */
type Read<T> = T extends Uint8Array
  ? Buffer
  : T extends readonly (infer Element)[]
    ? Read<Element>[]
    : T extends object
      ? { [K in keyof T]: object extends Pick<T, K> ? Read<T[K]> : Read<Exclude<T[K], undefined>> }
      : T

/** The input of an operation as the check of its shape gives it: required members are there, blobs are Buffers. */
export type Input<Name extends OperationName> = Read<SdkInput<Name>>

/** What a handler answers, in the SDK's terms (timestamps are Dates, blobs bytes); nothing for a void operation. */
export type Output<Name extends OperationName> = keyof Omit<SdkOutput<Name>, '$metadata'> extends never
  ? undefined
  : Omit<SdkOutput<Name>, '$metadata'>

export type Handler<Name extends OperationName> = (kms: KmsContext, input: Input<Name>) => Promise<Output<Name>>
