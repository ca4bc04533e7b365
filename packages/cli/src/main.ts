import { beginLean } from './lean.ts'

// Before anything else is loaded.
if (process.argv[2] === 'serve') beginLean()
await import('./program.ts')
