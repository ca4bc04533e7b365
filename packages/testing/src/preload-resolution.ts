/**
 * For `node --import`: resolves a relative import to the file that it names, without further checks. Node checks that each file
 * exists, resolves symbolic links and looks for the package.json above it. That takes a fifth of the CPU time of starting a
 * region, and the tests start more than a hundred.
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
