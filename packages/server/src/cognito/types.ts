import type { InputOf, OutputOf } from '../aws/shapes.ts'
import type { OperationName } from './shapes.generated.ts'

// Types only: the SDK is a development dependency and is not loaded at run time.
type Sdk = typeof import('@aws-sdk/client-cognito-identity-provider')

export type Input<Name extends OperationName> = InputOf<Sdk[`${Name}Command`]>
export type Output<Name extends OperationName> = OutputOf<Sdk[`${Name}Command`]>
