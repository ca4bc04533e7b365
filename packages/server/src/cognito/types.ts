import type { OperationName } from './shapes.generated.ts'

// Types only: the SDK is a development dependency, and nothing of it is loaded.
type Sdk = typeof import('@aws-sdk/client-cognito-identity-provider')
type Command<Name extends OperationName> = Sdk[`${Name}Command`] extends new (
  ...args: never[]
) => infer Instance
  ? Instance
  : never

type SdkInput<Name extends OperationName> = Command<Name> extends { readonly input: infer I } ? I : never
type SdkOutput<Name extends OperationName> =
  Command<Name> extends {
    resolveMiddleware(...args: never[]): (...args: never[]) => Promise<{ output: infer O }>
  }
    ? O
    : never

/** The SDK writes a required member as `Member: T | undefined` and an optional one as `Member?: T | undefined`. */
type Read<T> = T extends Date
  ? number
  : T extends Uint8Array
    ? Buffer
    : T extends readonly (infer Element)[]
      ? Read<Element>[]
      : T extends object
        ? { [K in keyof T]: object extends Pick<T, K> ? Read<T[K]> : Read<Exclude<T[K], undefined>> }
        : T

/**
 * The input of an operation as `validateInput` gives it: required members are there, blobs are Buffers, timestamps are
 * epoch seconds.
 */
export type Input<Name extends OperationName> = Read<SdkInput<Name>>

/** What a handler answers, in the SDK's terms (timestamps are Dates, blobs bytes); nothing for a void operation. */
export type Output<Name extends OperationName> = keyof Omit<SdkOutput<Name>, '$metadata'> extends never
  ? Record<string, never> | undefined
  : Omit<SdkOutput<Name>, '$metadata'>
