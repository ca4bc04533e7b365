import { renameSync, rmSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { startPostgresPair } from '@twinpool/testing/postgres-pair'

/** The database of a region, and a spare that can take its place: a standby, or a backup of the file. */
export interface SparedDatabase {
  /** The spare has everything that was acknowledged before the call. */
  catchUp(): Promise<void>
  /** The spare receives nothing any more. */
  detach(): Promise<void>
  /** Nothing is written to the database any more. */
  end(): Promise<void>
  /** The spare takes its place. */
  replace(): Promise<void>
  /** Makes another spare, while the region works. */
  renewSpare(): Promise<void>
  stop(): Promise<void>
}

/** A SQLite file, over which a backup is renamed. */
export function spareFile(file: string): SparedDatabase {
  const backup = `${file}.backup`
  return {
    catchUp: async () => {},
    detach: async () => {
      rmSync(backup, { force: true })
      const database = new DatabaseSync(file)
      database.prepare('vacuum into ?').run(backup)
      database.close()
    },
    // Ends the one and begins the other.
    end: async () => renameSync(backup, file),
    replace: async () => {},
    renewSpare: async () => {},
    stop: async () => {},
  }
}

const DATABASE = 'torture'

/** Two PostgreSQL servers, the second one a synchronous standby of the first. `url` has the addresses of both. */
export async function startSparedPostgres(): Promise<SparedDatabase & { url: string }> {
  const pair = await startPostgresPair()
  try {
    await pair.createDatabase(DATABASE)
    await pair.attachOnline()
    const addresses = pair.ports.map((port) => `127.0.0.1:${port}`).join(',')
    return {
      url: pair.urlOf(DATABASE, pair.primaryPort).replace(`127.0.0.1:${pair.primaryPort}`, addresses),
      catchUp: pair.caughtUp,
      detach: pair.detach,
      end: () => pair.kill(),
      replace: pair.promote,
      renewSpare: pair.attachOnline,
      stop: pair.stop,
    }
  } catch (error) {
    await pair.stop()
    throw error
  }
}
