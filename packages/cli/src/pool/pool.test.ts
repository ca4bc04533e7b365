import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { DescribeUserPoolCommand, ListUserPoolsCommand } from '@aws-sdk/client-cognito-identity-provider'
import { type DevProcess, nextPort, startDevProcess } from '@twinpool/testing/dev-plane'
import type { CreatedPool } from './create.ts'

const run = promisify(execFile)
const main = fileURLToPath(new URL('../main.ts', import.meta.url))

describe('twinpool pool create', () => {
  let dev: DevProcess
  let port: string
  before(async () => {
    dev = await startDevProcess()
    port = new URL(dev.ready.control).port
  })
  after(() => dev?.stop())
  const create = (...args: string[]) => run(process.execPath, [...process.execArgv, main, 'pool', 'create', ...args])
  const poolsThere = async () =>
    (await dev.primary.cognito.send(new ListUserPoolsCommand({ MaxResults: 60 }))).UserPools

  it('makes a pool whose replica is ACTIVE, and an app client', async () => {
    const { stdout } = await create('--replica', 'us-east-1', '--name', 'ours', '--port', port, '--json')
    const created = JSON.parse(stdout) as CreatedPool
    assert.deepEqual(Object.keys(created), ['event', 'region', 'replica', 'poolId', 'clientId', 'keyArn', 'issuer'])
    assert.deepEqual(created.replica, { region: 'us-east-1', status: 'ACTIVE' })
    assert.match(created.keyArn ?? '', /key\/mrk-/)
    assert.equal(created.issuer, `${dev.ready.control}/${created.poolId}`)
    for (const { cognito } of [dev.primary, dev.secondary]) {
      const { UserPool } = await cognito.send(new DescribeUserPoolCommand({ UserPoolId: created.poolId }))
      assert.equal(UserPool?.Name, 'ours')
    }
  })

  it('prints calls that work as they stand', async () => {
    const { stdout } = await create('--replica', 'us-east-1', '--port', port)
    const commands = stdout
      .split('\n\n')
      .filter((block) => /^ {4}(curl|CODE)/.test(block))
      .map((block) => block.trim())
    assert.equal(commands.length, 5)
    const outputs: string[] = []
    for (const command of commands) outputs.push((await run('sh', ['-c', command])).stdout)
    assert.match(outputs[0] ?? '', /"UserSub"/)
    assert.match(outputs[1] ?? '', /^\{.*\}$/)
    assert.match(outputs[3] ?? '', /"AccessToken"/)
    assert.match(outputs[4] ?? '', /"us-west-2"/)
  })

  it('makes a pool without a replica', async () => {
    const created = JSON.parse((await create('--port', port, '--json')).stdout) as CreatedPool
    assert.equal(created.replica, null)
    assert.equal(created.keyArn, null)
    const discovery = await fetch(`${created.issuer}/.well-known/openid-configuration`)
    assert.equal(((await discovery.json()) as { issuer: string }).issuer, created.issuer)
  })

  it('exits with 2 for invalid options, and creates nothing', async () => {
    const before = await poolsThere()
    const refused = (stderr: RegExp) => ({ code: 2, stderr })
    await assert.rejects(create('--replica', 'eu-west-1', '--port', port), refused(/other regions.*us-east-1/))
    await assert.rejects(create('--replica', 'us-west-2', '--port', port), refused(/primary region/))
    await assert.rejects(create('--replicas', 'us-east-1', '--port', port), refused(/--replicas/))
    await assert.rejects(create('--name', '<>', '--port', port), refused(/InvalidParameterException/))
    assert.deepEqual(await poolsThere(), before)
  })

  it('says how to start a plane when none is running', async () => {
    const free = String(nextPort())
    await assert.rejects(create('--port', free), {
      code: 2,
      stderr: new RegExp(`Start one: npm start -- --port ${free}\n`),
    })
  })
})
