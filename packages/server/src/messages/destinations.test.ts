import assert from 'node:assert/strict'
import { it } from 'node:test'
import { createDestinations } from './destinations.ts'

it('two processes of a region count messages to an address together once both have the new secret', async () => {
  const counts = new Map<string, number>()
  const throttling = {
    count: async (name: string) => {
      counts.set(name, (counts.get(name) ?? 0) + 1)
      return counts.get(name) as number
    },
  }
  const open = (secret: string) => createDestinations({ throttling, secret, perHour: 1, noted: () => {} })
  const [running, started] = [open('old'), open('new')]
  assert.equal(await running.admit('ada@example.com', 'own'), true)
  running.setSecret('new')
  assert.equal(await running.admit('ada@example.com', 'own'), true)
  assert.equal(await started.admit('ada@example.com', 'own'), false)
})
