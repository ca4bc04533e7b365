import { readFileSync, readdirSync } from 'node:fs'
import { startPostgres } from 'twinpool/internal/postgres'
import { openStore } from '@twinpool/server/internal/store/store'
import pg from 'pg'
const settings = JSON.parse(process.argv[2] ?? '{}')
const postgres = await startPostgres(settings)
const port = new URL(postgres.url).port
const pmPid = readdirSync('/proc').filter((d) => /^\d+$/.test(d)).find((d) => { try { const c = readFileSync(`/proc/${d}/cmdline`,'utf8'); return c.includes(`port=${port}`) && c.includes('/bin/postgres') && !c.startsWith('/bin/sh') } catch { return false } }) as string
const stat = (pid: string) => { const f = readFileSync(`/proc/${pid}/stat`,'utf8').split(') ')[1]!.split(' '); return { ppid: f[1], own: Number(f[11])+Number(f[12]), kids: Number(f[13])+Number(f[14]) } }
const pgCpu = () => { let t = 0; const p = stat(pmPid); t += p.own + p.kids; for (const d of readdirSync('/proc')) { if (!/^\d+$/.test(d)) continue; try { const s = stat(d); if (s.ppid === pmPid) t += s.own } catch {} } return t*10 }
const lap = async (name: string, n: number, work: (i: number) => Promise<void>) => { const a = pgCpu(), c = process.cpuUsage(), w = performance.now(); for (let i=0;i<n;i++) await work(i); const d = process.cpuUsage(c); console.log(name, `pg ${((pgCpu()-a)/n).toFixed(1)} node ${((d.user+d.system)/1000/n).toFixed(1)} wall ${((performance.now()-w)/n).toFixed(1)} ms each`) }
const admin = async (s: string, url = postgres.url) => { const c = new pg.Client({ connectionString: url }); await c.connect(); try { await c.query(s) } finally { await c.end() } }
const urlOf = (n: string) => { const u = new URL(postgres.url); u.pathname = `/${n}`; return u.href }
const clock = { now: () => Date.now() }
await admin('select 1')
await lap('connect', 20, () => admin('select 1'))
await lap('create', 20, (i) => admin(`create database a${i}`))
const stores: any[] = []
await lap('open', 20, async (i) => { stores.push(await openStore({ engine: 'postgres', url: urlOf(`a${i}`), connections: 8 } as any, { clock, region: 'us-west-2' })) })
await lap('close', 20, async (i) => { await stores[i].close() })
await lap('reopen', 20, async (i) => { stores[i] = await openStore({ engine: 'postgres', url: urlOf(`a${i}`), connections: 8 } as any, { clock, region: 'us-west-2' }) })
await lap('close', 20, async (i) => { await stores[i].close() })
await admin('create database model'); const m = await openStore({ engine: 'postgres', url: urlOf(`model`), connections: 8 } as any, { clock, region: 'us-west-2' }); await m.close()
await lap('create from model', 20, (i) => admin(`create database b${i} template model`))
await lap('open from model', 20, async (i) => { stores[i] = await openStore({ engine: 'postgres', url: urlOf(`b${i}`), connections: 8 } as any, { clock, region: 'us-west-2' }) })
await lap('close', 20, async (i) => { await stores[i].close() })
await lap('create file_copy from model', 20, (i) => admin(`create database c${i} template model strategy = file_copy`))
await lap('drop', 20, (i) => admin(`drop database a${i} with (force)`))
await admin(`set scram_iterations = 1; alter role postgres password '${new URL(postgres.url).password}'`)
await lap('connect scram 1', 20, () => admin('select 1'))
const t0 = performance.now(); await postgres.stop(); console.log('stop', performance.now()-t0)
