type Builtins = {
  'node:buffer': { Buffer: { from(text: string, encoding: 'base64url'): { toString(encoding: 'utf8'): string } } }
  'node:crypto': Pick<typeof import('node:crypto'), 'createPublicKey' | 'createVerify'>
}

type WithProcess = { process?: { getBuiltinModule?: (name: string) => unknown } }

/**
 * Returns a built-in Node module if the runtime has it (Node 20.16 and 22.3 or later, and compatible runtimes). Uses no
 * import, which browsers and edge runtimes could not resolve.
 */
export function nodeModule<Name extends keyof Builtins>(name: Name): Builtins[Name] | undefined {
  try {
    return (globalThis as WithProcess).process?.getBuiltinModule?.(name) as Builtins[Name] | undefined
  } catch {
    return undefined
  }
}
