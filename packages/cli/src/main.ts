import { beginLean } from './lean.ts'

// Before any other module is loaded.
if (process.argv[2] === 'serve') beginLean()
await import('./program.ts')
