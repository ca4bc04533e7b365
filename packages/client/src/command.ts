import { UnknownCommandError } from './errors.ts'

/**
 * The part of an SDK v3 command that this package uses. A structural type, so that the commands of any version of
 * `@aws-sdk/client-cognito-identity-provider` are accepted.
 */
export interface SdkCommand<Output extends object = object> {
  readonly input: object
  resolveMiddleware(stack: never, configuration: never, options: never): (args: never) => Promise<{ output: Output }>
}

/** The part of an SDK v3 client that this package uses. */
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
 * Returns the operation of a command without relying on its class name, which minifiers change. Reads the schema that
 * newer SDKs attach, else the `commandName` that every version of the SDK passes to its middleware. Both are string
 * literals in the SDK. The `commandName` is found by resolving the command against a stack that does nothing.
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
    // Not an SDK command.
  }
  return commandName?.replace(/Command$/, '')
}

/** For test doubles, which have neither schema nor middleware. */
function nameOfClass(command: SdkCommand): string | undefined {
  return /^([A-Z]\w+)Command$/.exec(command.constructor.name)?.[1]
}

/** The position of the retry middleware in every version of the SDK. */
const RETRY_POSITION = { name: 'retryMiddleware', tags: ['RETRY'], step: 'finalizeRequest', priority: 'high' } as const

/** The innermost position, next to the HTTP handler. */
const WIRE_POSITION = { name: 'twinpoolWireMiddleware', step: 'deserialize', priority: 'low', override: true } as const

/**
 * Replaces the SDK's retry middleware under the same name and position, because the signing middleware is
 * positioned relative to it. This package retries across regions. With the SDK's retries, three attempts with backoff
 * against a dead region would precede the first attempt against a healthy one.
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
 * Wraps a command so that any SDK client sends it once, without the SDK's retries. The client's own middleware stack
 * stays unchanged: the wrapper modifies a copy, for this command only.
 *
 * Calls `onWire` when the request is built and signed and is passed to the HTTP handler. An earlier error is the
 * caller's (credentials, input); a later error is the region's. `isResolved` returns whether the client has resolved
 * the command's middleware. Test doubles do not resolve it, and then `onWire` is never called.
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
    copy.add(tryOnce, { ...RETRY_POSITION, override: true })
    copy.add(wire, WIRE_POSITION)
    return resolve.call(command, copy, configuration, options)
  }
  // The wrapper inherits from the command, so that `instanceof` and `constructor` still work. `input` is an own
  // property, because middleware may copy the command, and a copy has own properties only.
  return {
    command: Object.create(command, {
      input: { value: command.input, enumerable: true },
      resolveMiddleware: { value: resolveOnce },
    }),
    isResolved: () => resolved,
  }
}
