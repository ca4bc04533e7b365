/** A region whose disk, or whose database's disk, is full or read-only. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import {
  AdminCreateUserCommand,
  AdminGetUserCommand,
  CreateUserPoolCommand,
} from '@aws-sdk/client-cognito-identity-provider'
import { administer } from '@twinpool/testing/databases'
import { engines, until } from '@twinpool/testing/regions'
import { type ServedRegion, serveRegion } from '@twinpool/testing/served-region'
import { type Postgres, startPostgres } from 'twinpool/internal/postgres/start'

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

function mountMemory(directory: string, megabytes = 4): void {
  run('mount', '-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', directory)
}

/** Fills the file system with a file. Returns its path. */
function fill(disk: string): string {
  const ballast = join(disk, 'ballast')
  assert.throws(() => writeFileSync(ballast, Buffer.alloc(64 << 20)), { code: 'ENOSPC' })
  return ballast
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
  const create = async (username: string): Promise<void> => {
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
  }
  return {
    create,
    createMany: async (): Promise<void> => {
      for (let n = 0; n < 10_000; n += 1) await create(`user-${n}`)
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

const STORAGE_FULL = (error: { name: string; message: string; $metadata: { httpStatusCode: number } }): boolean => {
  assert.equal(error.message, 'The storage of this region is full.')
  return INTERNAL_ERROR(error)
}

describe('a full disk', { skip: whyNot(mountMemory) }, () => {
  let disk: string
  let region: ServedRegion
  const { create, createMany, checkAllPresent } = writerOf(() => region)

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
    const ballast = fill(disk)
    await assert.rejects(createMany(), STORAGE_FULL)
    await checkAllPresent()
    const health = await region.health()
    assert.equal(health.code, 503)
    assert.deepEqual(health.checks.store, { ok: false, detail: 'the disk is full: database or disk is full' })
    assert.equal(health.checks.keys?.ok, true)
    await region.logged(/"level":"error".*"event":"store-full"/)
    await region.logged(/"operation":"AdminCreateUser".*database or disk is full/)

    rmSync(ballast)
    await until(async () => (await region.health()).code === 200, { what: 'health' })
    await region.logged(/"event":"store-writable"/)
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

const whyNotPostgres = engines.includes('postgres') ? whyNot(mountMemory) : 'no PostgreSQL is asked for'

describe('a full disk of PostgreSQL', { skip: whyNotPostgres }, () => {
  let home: string
  let disk: string
  let postgres: Postgres
  let region: ServedRegion
  let writer: ReturnType<typeof writerOf>

  /** Mounts a small disk that PostgreSQL's user owns. */
  const mountSmall = (name: string, megabytes: number): string => {
    disk = join(home, name)
    mkdirSync(disk)
    mountMemory(disk, megabytes)
    const { uid, gid } = statSync(join(home, 'server', 'data'))
    chownSync(disk, uid, gid)
    return disk
  }
  const start = () => startPostgres({ directory: join(home, 'server') })
  const serve = (url: string) =>
    serveRegion({ config: { store: { engine: 'postgres', url, connections: 4, statementSeconds: 2 } } })
  const isHealthy = async () => (await region.health()).code === 200

  beforeEach(async () => {
    home = mkdtempSync(join(tmpdir(), 'twinpool-disk-'))
    chmodSync(home, 0o755)
    postgres = await start()
    writer = writerOf(() => region)
  })
  afterEach(async () => {
    await region?.stop()
    await postgres?.stop()
    run('umount', disk)
    rmSync(home, { recursive: true, force: true })
  })

  it('causes a 500 with its reason for writes and no error for reads; health names it until there is space again', async () => {
    mountSmall('tables', 24)
    const space = join(disk, 'space')
    mkdirSync(space)
    const { uid, gid } = statSync(disk)
    chownSync(space, uid, gid)
    await administer(`create tablespace small location '${space}'`, { server: postgres.url })
    await administer('create database twinpool tablespace small', { server: postgres.url })
    region = await serve(postgres.url.replace(/postgres$/, 'twinpool'))
    await writer.create('first')
    const ballast = fill(disk)
    await assert.rejects(writer.createMany(), STORAGE_FULL)
    await writer.checkAllPresent()
    const health = await region.health()
    assert.equal(health.code, 503)
    assert.match(
      health.checks.store?.detail ?? '',
      /^the disk is full: could not extend file .*No space left on device/,
    )
    assert.equal(await region.metric('twinpool_healthy', { check: 'store' }), 0)
    await region.logged(/"level":"error".*"event":"store-full"/)
    // Small writes still find room in the pages that exist; they do not hide the fault.
    assert.equal((await region.health()).code, 503)

    rmSync(ballast)
    await until(isHealthy, { what: 'health' })
    await region.logged(/"event":"store-writable"/)
    await writer.create('later')
    await writer.checkAllPresent()
  })

  it('of its log stops PostgreSQL: calls and health report it, until the server is started again with more space', async () => {
    await postgres.stop()
    const log = join(home, 'server', 'data', 'pg_wal')
    mountSmall('log', 64)
    run('cp', '-a', `${log}/.`, disk)
    rmSync(log, { recursive: true })
    symlinkSync(disk, log)
    postgres = await start()
    const { port } = new URL(postgres.url)
    region = await serve(await postgres.createDatabase('twinpool'))
    await writer.create('first')
    const ballast = fill(disk)
    const switchLog = () => administer('select pg_switch_wal()', { server: postgres.url })
    await assert.rejects(async () => {
      for (let n = 0; n < 10; n += 1) {
        await writer.create(`log-${n}`)
        await switchLog()
      }
    })
    await assert.rejects(writer.create('during'), INTERNAL_ERROR)
    await until(async () => !(await isHealthy()), { what: 'a failed check' })
    assert.match((await region.health()).checks.store?.detail ?? '', /ECONNREFUSED|the database system is/)

    rmSync(ballast)
    await postgres.stop()
    postgres = await startPostgres({ directory: join(home, 'server'), port: Number(port) })
    await until(isHealthy, { what: 'health' })
    await writer.create('later')
    await writer.checkAllPresent()
  })
})
