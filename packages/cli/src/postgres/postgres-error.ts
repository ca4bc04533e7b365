/** PostgreSQL could not be started; the message gives the reason to the person at the terminal. */
export class PostgresError extends Error {
  override name = 'PostgresError'
}
