/** A region on SQLite whose disk is full or read-only. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import {
  AdminCreateUserCommand,
  AdminGetUserCommand,
  CreateUserPoolCommand,
} from '@aws-sdk/client-cognito-identity-provider'
import { until } from '@twinpool/testing/regions'
import { type ServedRegion, serveRegion } from '@twinpool/testing/served-region'

const run = (program: string, ...args: string[]): string =>
  execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim()

/** Why such a disk cannot be created on this machine; undefined if it can. */
function whyNot(make: (directory: string) => void): string | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'only root on Linux can mount a disk'
  const directory = mkdtempSync(join(tmpdir(), 'twinpool-disk-'))
  try {
    make(directory)
    run('umount', directory)
    return undefined
  } catch (error) {
    return `such a disk cannot be created here: ${(error as Error).message.split('\n', 1)[0]}`
  } finally {
    rmSync(directory, { recursive: true, force: true })
    rmSync(`${directory}.img`, { force: true })
  }
}

function mountMemory(directory: string): void {
  run('mount', '-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', directory)
}

/** Mounts a file system from an image file. Returns the path of the kernel file that triggers an error in it. */
function mountImage(directory: string): string {
  const image = `${directory}.img`
  if (!existsSync(image)) {
    writeFileSync(image, '')
    truncateSync(image, 16 << 20)
    run('mkfs.ext4', '-q', image)
  }
  run('mount', '-o', 'loop,errors=remount-ro', image, directory)
  return `/sys/fs/ext4/${basename(run('findmnt', '-n', '-o', 'SOURCE', directory))}/trigger_fs_error`
}

/** Creates users, and records those that the region has acknowledged. */
function writerOf(region: () => ServedRegion) {
  let pool: string | undefined
  const acknowledged: string[] = []
  return {
    create: async (username: string): Promise<void> => {
      const { cognito } = region()
      pool ??= (await cognito.send(new CreateUserPoolCommand({ PoolName: 'p' }))).UserPool?.Id
      await cognito.send(
        new AdminCreateUserCommand({
          UserPoolId: pool,
          Username: username,
          MessageAction: 'SUPPRESS',
          UserAttributes: [{ Name: 'name', Value: 'x'.repeat(2_000) }],
        }),
      )
      acknowledged.push(username)
    },
    checkAllPresent: async (): Promise<void> => {
      for (const Username of acknowledged) {
        await region().cognito.send(new AdminGetUserCommand({ UserPoolId: pool, Username }))
      }
    },
  }
}

const INTERNAL_ERROR = (error: { name: string; $metadata: { httpStatusCode: number } }): boolean => {
  assert.equal(error.name, 'InternalErrorException')
  assert.equal(error.$metadata.httpStatusCode, 500)
  return true
}

describe('a full disk', { skip: whyNot(mountMemory) }, () => {
  let disk: string
  let region: ServedRegion
  const { create, checkAllPresent } = writerOf(() => region)

  before(async () => {
    disk = mkdtempSync(join(tmpdir(), 'twinpool-disk-'))
    mountMemory(disk)
    region = await serveRegion({ config: { store: { engine: 'sqlite', file: join(disk, 'region.db') } } })
  })
  after(async () => {
    await region?.stop()
    run('umount', disk)
    rmSync(disk, { recursive: true, force: true })
  })

  it('causes a 500 for writes and no error for reads; once there is space again, the region recovers by itself', async () => {
    await create('first')
    const ballast = join(disk, 'ballast')
    assert.throws(() => writeFileSync(ballast, Buffer.alloc(8 << 20)), { code: 'ENOSPC' })
    const fill = async (): Promise<void> => {
      for (let n = 0; n < 1_000; n += 1) await create(`user-${n}`)
    }
    await assert.rejects(fill(), INTERNAL_ERROR)
    await checkAllPresent()
    const health = await region.health()
    assert.equal(health.code, 503)
    assert.deepEqual(health.checks.store, { ok: false, detail: 'database or disk is full' })
    assert.equal(health.checks.keys?.ok, true)
    await region.logged(/"operation":"AdminCreateUser".*database or disk is full/)

    rmSync(ballast)
    await until(async () => (await region.health()).code === 200, { what: 'health' })
    await create('later')
    await checkAllPresent()
  })

  it('or a disk that is read-only from the beginning prevents the start of a region', async () => {
    await region.stop()
    run('mount', '-o', 'remount,ro', disk)
    await assert.rejects(
      serveRegion({ config: { store: { engine: 'sqlite', file: join(disk, 'region.db') } } }),
      /the region cannot start: EROFS: read-only file system/,
    )
  })
})

describe('a disk that became read-only', { skip: whyNot(mountImage) }, () => {
  let disk: string
  let region: ServedRegion
  const { create, checkAllPresent } = writerOf(() => region)
  const start = () => serveRegion({ config: { store: { engine: 'sqlite', file: join(disk, 'region.db') } } })

  before(() => {
    disk = mkdtempSync(join(tmpdir(), 'twinpool-disk-'))
  })
  after(async () => {
    await region?.stop()
    run('umount', disk)
    rmSync(disk, { recursive: true, force: true })
    rmSync(`${disk}.img`, { force: true })
  })

  it('causes a 500 for writes and no error for reads; once repaired, it has every acknowledged write', async () => {
    const trigger = mountImage(disk)
    region = await start()
    await create('first')
    await create('second')
    // The kernel does this when it detects a damaged file system.
    writeFileSync(trigger, 'fault')
    await assert.rejects(create('third'), INTERNAL_ERROR)
    await checkAllPresent()
    const health = await region.health()
    assert.equal(health.code, 503)
    assert.match(health.checks.store?.detail ?? '', /readonly|read-only|disk I\/O error/)

    await region.stop()
    run('umount', disk)
    // 1: errors were corrected.
    assert.throws(() => run('e2fsck', '-p', `${disk}.img`), { status: 1 })
    mountImage(disk)
    region = await start()
    assert.equal((await region.health()).code, 200)
    await checkAllPresent()
    await create('fourth')
  })
})
