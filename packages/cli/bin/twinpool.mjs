#!/usr/bin/env node
// Plain JavaScript that any Node can parse, so that an old Node prints a clear message instead of a stack trace.
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const inRepository = fileURLToPath(new URL('../src/main.ts', import.meta.url))

if (existsSync(inRepository)) {
  const { ensureInstalled } = await import('../../../scripts/install.mjs')
  const { handOver, sourceFlags } = await import('../../../scripts/hand-over.mjs')
  try {
    const node = await ensureInstalled()
    process.exitCode = await handOver(node, [...sourceFlags, inRepository, ...process.argv.slice(2)])
  } catch (error) {
    process.stderr.write(`twinpool: ${error.message}\n`)
    process.exitCode = 2
  }
} else if (Number.parseInt(process.versions.node, 10) < 24) {
  process.stderr.write(
    `twinpool needs Node 24 or newer; this is Node ${process.versions.node} (${process.execPath}).\n`,
  )
  process.exitCode = 2
} else {
  await import('../dist/main.js')
}
