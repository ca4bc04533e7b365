/**
 * `node --import` of this file: a relative import is the file that it names. Node would look for each file, for symbolic
 * links on the way and for the package.json above it: a fifth of the CPU time in which a region starts, and tests start
 * more than a hundred.
 */
import { registerHooks } from 'node:module'

/** Packages of many small ES modules. */
const ofModules = /\/node_modules\/(kysely|hono)\/dist\/(?!.*cjs)/

registerHooks({
  resolve(specifier, context, next) {
    const { parentURL } = context
    if (parentURL === undefined || !specifier.startsWith('.')) return next(specifier, context)
    const format = specifier.endsWith('.ts')
      ? 'module-typescript'
      : specifier.endsWith('.js') && ofModules.test(parentURL)
        ? 'module'
        : undefined
    if (format === undefined) return next(specifier, context)
    return { url: new URL(specifier, parentURL).href, format, shortCircuit: true }
  },
})
