import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Case, type Row, shown } from './case.ts'

const script = join(import.meta.dirname, '../../packages/verifier/bench/verify.ts')

export const verifier: Case = {
  name: 'verifier',
  title: 'The verifier: tokens per second, warm, sequential',
  run: async ({ quick, say }) => {
    const args = ['--conditions=twinpool-source', script, '--json', ...(quick ? ['--quick'] : [])]
    const { stdout } = await promisify(execFile)(process.execPath, args)
    const { rows } = JSON.parse(stdout.trim().split('\n').at(-1) as string) as { rows: Row[] }
    for (const { what, peer, ours, theirs, ratio } of rows)
      say(`${what}: ${ours}/s, ${peer} ${theirs}/s, ratio ${ratio}`)
    const lines = rows.map(({ what, ours, theirs, ratio }) => [what, shown(ours), shown(theirs), shown(ratio)])
    return {
      rows,
      table: { head: ['', '@twinpool/verifier', 'aws-jwt-verify', 'ours : theirs'], lines },
      notes: ['Same keys, same tokens, same process, alternating rounds.'],
    }
  },
}
