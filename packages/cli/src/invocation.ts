/** Whether this runs from the sources in a clone, not from the installed package. */
export const inRepository: boolean = import.meta.url.endsWith('.ts')

/** A command line that a person can paste: an npm script in a clone, the installed command elsewhere. */
export function invocation(command: string, ...args: string[]): string {
  if (!inRepository) return ['twinpool', command, ...args].join(' ')
  if (!['dev', 'drill', 'doctor'].includes(command)) return ['npm run twinpool --', command, ...args].join(' ')
  const script = command === 'dev' ? 'npm start' : `npm run ${command}`
  return args.length === 0 ? script : [script, '--', ...args].join(' ')
}

/** The default control port of a plane. */
export const DEFAULT_PORT = 9400

/** `--port N`, unless it is the default. */
export const portArguments = (port: number): string[] => (port === DEFAULT_PORT ? [] : ['--port', String(port)])
