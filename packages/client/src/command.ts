import { UnknownCommandError } from './errors.ts'

/**
 * The part of an SDK v3 command that is used here. Structural, so that the commands of whichever version of
 * `@aws-sdk/client-cognito-identity-provider` the caller has will fit.
 */
export interface SdkCommand<Output extends object = object> {
  readonly input: object
  resolveMiddleware(stack: never, configuration: never, options: never): (args: never) => Promise<{ output: Output }>
}

/** The part of an SDK v3 client that is used here. */
export interface SdkClient {
  readonly config?: unknown
  send(command: never, options: never): Promise<unknown>
}

type Handler = (args: unknown) => Promise<{ output?: { $metadata?: { attempts?: number; totalRetryDelay?: number } } }>
type Middleware = (next: Handler, context: { commandName?: string }) => Handler
type MiddlewareStack = {
  clone(): MiddlewareStack
  concat(from: unknown): MiddlewareStack
  add(middleware: Middleware, options: object): void
  resolve(handler: Handler, context: { commandName?: string }): Handler
}
type Resolve = (stack: MiddlewareStack, configuration: unknown, options: unknown) => Handler

const names = new WeakMap<object, string>()

/**
 * The operation of a command, told without the name of its class, which minifiers change: first from the
 * schema that newer SDKs attach, else from the `commandName` that every version of the SDK hands to its middleware. That is
 * a string in the code of the SDK, and is seen by resolving the command against a stack that runs nothing.
 *
 * @throws UnknownCommandError
 */
export function operationOf(command: SdkCommand, client: SdkClient): string {
  const known = names.get(command.constructor)
  if (known !== undefined) return known
  const name = nameInSchema(command) ?? nameInContext(command, client) ?? nameOfClass(command)
  if (name === undefined) throw new UnknownCommandError()
  if (command.constructor !== Object) names.set(command.constructor, name)
  return name
}

/** A static schema is `[9, namespace, name, ...]`; an earlier form was an object with a `name`. */
function nameInSchema(command: SdkCommand): string | undefined {
  const { schema } = command as { schema?: unknown }
  const name = Array.isArray(schema) ? schema[2] : (schema as { name?: unknown } | undefined)?.name
  return typeof name === 'string' ? name : undefined
}

function nameInContext(command: SdkCommand, client: SdkClient): string | undefined {
  let commandName: string | undefined
  const idle: MiddlewareStack = {
    clone: () => idle,
    concat: () => idle,
    add: () => {},
    resolve: (handler, context) => {
      commandName = context.commandName
      return handler
    },
  }
  try {
    ;(command.resolveMiddleware as Resolve).call(command, idle, client.config ?? {}, {})
  } catch {
    // Not an SDK command after all.
  }
  return commandName?.replace(/Command$/, '')
}

/** For test doubles, which have neither schema nor middleware. */
function nameOfClass(command: SdkCommand): string | undefined {
  return /^([A-Z]\w+)Command$/.exec(command.constructor.name)?.[1]
}

/** Where every version of the SDK puts its retries. */
const RETRY_PLACE = { name: 'retryMiddleware', tags: ['RETRY'], step: 'finalizeRequest', priority: 'high' } as const

/** The innermost place, next to the HTTP handler. */
const WIRE_PLACE = { name: 'twinpoolWireMiddleware', step: 'deserialize', priority: 'low', override: true } as const

/**
 * Stands in for the SDK's own retry middleware, under its name and in its place, because the signing middleware is
 * placed relative to it. Retrying is decided here, across regions; three tries with backoff against a dead region
 * would come before the first try against a living one.
 */
const tryOnce: Middleware = (next) => async (args) => {
  const result = await next(args)
  const metadata = result.output?.$metadata
  if (metadata) {
    metadata.attempts = 1
    metadata.totalRetryDelay = 0
  }
  return result
}

/**
 * The same command, sent once and without the SDK's retries, by whichever client it is given to. The
 * client's own middleware stack is left as it is; the change is made on a copy, for this command.
 *
 * `onWire` is called when the request is built and signed and goes to the HTTP handler: an error before that is
 * the caller's (credentials, input), one after it is the region's. `isResolved` tells whether the client has
 * looked at the command's middleware at all, which test doubles do not: then `onWire` is never called.
 */
export function singleAttempt(
  command: SdkCommand,
  { onWire }: { onWire: () => void },
): { command: SdkCommand; isResolved: () => boolean } {
  const resolve = command.resolveMiddleware as Resolve
  let resolved = false
  const wire: Middleware = (next) => (args) => {
    onWire()
    return next(args)
  }
  const resolveOnce: Resolve = (stack, configuration, options) => {
    resolved = true
    const copy = stack.clone()
    copy.add(tryOnce, { ...RETRY_PLACE, override: true })
    copy.add(wire, WIRE_PLACE)
    return resolve.call(command, copy, configuration, options)
  }
  // Inherits from the command, so that `instanceof` and `constructor` still tell what it is; the input is its own property,
  // because middleware may copy what it is given, and a copy has own properties only.
  return {
    command: Object.create(command, {
      input: { value: command.input, enumerable: true },
      resolveMiddleware: { value: resolveOnce },
    }),
    isResolved: () => resolved,
  }
}
