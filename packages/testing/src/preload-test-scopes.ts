/**
 * `node --import` of this file in a process that runs tests: which test is running is kept in an AsyncLocalStorage. The test
 * runner keeps it with a hook of async_hooks, which runs for every promise, timer and socket: an eighth of the CPU time of the
 * tests. Nested tests, and errors that a test's promises and timers throw after it has returned, find their test as before.
 */
import hooks, { AsyncLocalStorage, AsyncResource } from 'node:async_hooks'
import { syncBuiltinESMExports } from 'node:module'

type Callback = (...args: unknown[]) => unknown

const scope = new AsyncLocalStorage<number>()
const { createHook, executionAsyncId } = hooks
const { runInAsyncScope } = AsyncResource.prototype

/** The runner's classes. Node does not export them. */
const isTest = (resource: object): boolean => {
  for (
    let type = Object.getPrototypeOf(resource);
    type !== AsyncResource.prototype;
    type = Object.getPrototypeOf(type)
  ) {
    if (type.constructor.name === 'Test') return true
  }
  return false
}

// The runner reads these two when it is loaded, and calls createHook before the first test; all others get the real functions.
hooks.executionAsyncId = () => scope.getStore() ?? executionAsyncId()
hooks.createHook = (callbacks) => {
  Object.assign(hooks, { createHook, executionAsyncId })
  syncBuiltinESMExports()
  AsyncResource.prototype.runInAsyncScope = function (this: AsyncResource, work: Callback, self, ...args) {
    if (!isTest(this)) return runInAsyncScope.call(this, work, self, ...args)
    const id = this.asyncId()
    callbacks.init?.(id, 'Test', executionAsyncId(), this)
    const scoped = (...given: unknown[]) => scope.run(id, () => work.apply(self, given))
    return runInAsyncScope.call(this, scoped, undefined, ...args)
  } as typeof runInAsyncScope
  const unused = { enable: () => unused, disable: () => unused }
  return unused
}
