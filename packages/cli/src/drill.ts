import { type Command, CommandError } from './command.ts'

export const drill: Command = {
  help: 'twinpool drill\n',
  run: async () => {
    throw new CommandError('not there yet')
  },
}
