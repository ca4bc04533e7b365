import { chmod, cp, lstat, mkdtemp, readdir, readFile, rename, rm, symlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { reachableFolder } from './home.ts'
import type { OsUser } from './os-user.ts'
import { PostgresError } from './postgres-error.ts'

/**
 * Copies the tree of the platform package to a directory that the user can read, once per version, and returns its `bin`.
 * A rename makes the complete copy appear at once. A copy that other users could have written to is never used.
 */
export async function copyInstallation(native: string, user: OsUser | undefined): Promise<string> {
  const about = JSON.parse(await readFile(join(dirname(native), 'package.json'), 'utf8')) as { version: string }
  const cache = await reachableFolder(user)
  const target = join(cache, `twinpool-postgres-${about.version}-${process.platform}-${process.arch}`)
  const present = await lstat(target).catch(() => undefined)
  if (present !== undefined) {
    const ours = present.isDirectory() && present.uid === process.getuid?.() && (present.mode & 0o022) === 0
    if (!ours)
      throw new PostgresError(
        `${target} belongs to another user or is writable by others: remove it, so that PostgreSQL can be copied there.`,
      )
    return join(target, 'bin')
  }
  const fresh = await mkdtemp(`${target}.new-`)
  try {
    const filter = (source: string) => !source.endsWith('.a') && basename(source) !== 'pkgconfig'
    await cp(native, fresh, { recursive: true, verbatimSymlinks: true, filter })
    await completeLinks(fresh)
    await makeReadable(fresh)
    await rename(fresh, target)
  } catch (error) {
    await rm(fresh, { recursive: true, force: true })
    const code = (error as NodeJS.ErrnoException).code
    // Another process was faster: use its copy.
    if (code === 'ENOTEMPTY' || code === 'EEXIST') return await copyInstallation(native, user)
    throw error
  }
  return join(target, 'bin')
}

/** npm packages cannot contain symbolic links: the package lists them in a file, and an install script creates them, if it runs. */
async function completeLinks(tree: string): Promise<void> {
  const listed = await readFile(join(tree, 'pg-symlinks.json'), 'utf8').catch(() => '[]')
  for (const { source, target } of JSON.parse(listed) as { source: string; target: string }[]) {
    const path = join(tree, target.replace(/^native\//, ''))
    await symlink(basename(source), path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    })
  }
}

async function makeReadable(tree: string): Promise<void> {
  await chmod(tree, 0o755)
  for (const entry of await readdir(tree, { recursive: true, withFileTypes: true })) {
    if (entry.isSymbolicLink()) continue
    const executable = entry.isDirectory() || basename(entry.parentPath) === 'bin'
    await chmod(join(entry.parentPath, entry.name), executable ? 0o755 : 0o644)
  }
}
