/**
 * For `node --import`: resolves a relative import to the file that it names, and the name of a package once per importing package.
 * Node checks for each file that it exists, resolves symbolic links and looks for the package.json above it. That takes a good part
 * of the CPU time of starting a region, and the tests start more than a hundred.
 */
import { registerHooks } from 'node:module'

/** Packages of many small ES modules. */
const ofModules = /\/node_modules\/(kysely|hono)\/dist\/(?!.*cjs)/
const ofWorkspace = /^.*\/packages\/[^/]+\/src\//

/** By the package that imports, then by what it imports. */
const found = new Map<string, { url: string; format?: string | null | undefined }>()

registerHooks({
  resolve(specifier, context, next) {
    const { parentURL, conditions } = context
    if (parentURL === undefined || !conditions.includes('import')) return next(specifier, context)
    if (specifier.startsWith('node:')) return { url: specifier, format: 'builtin', shortCircuit: true }
    if (!specifier.startsWith('.')) {
      const [importer] = ofWorkspace.exec(parentURL) ?? []
      if (importer === undefined || Object.keys(context.importAttributes).length > 0) return next(specifier, context)
      const key = `${importer} ${specifier}`
      const known = found.get(key)
      if (known) return { ...known, shortCircuit: true }
      const { url, format } = next(specifier, context)
      found.set(key, { url, format })
      return { url, format, shortCircuit: true }
    }
    const format = specifier.endsWith('.ts')
      ? 'module-typescript'
      : specifier.endsWith('.js') && ofModules.test(parentURL)
        ? 'module'
        : undefined
    if (format === undefined) return next(specifier, context)
    return { url: new URL(specifier, parentURL).href, format, shortCircuit: true }
  },
})
