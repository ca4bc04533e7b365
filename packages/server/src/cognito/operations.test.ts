import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { groups, operations } from './operations.ts'
import { operationNames } from './shapes.generated.ts'

describe('the table of operations', () => {
  it('has each operation of the service model in one group', () => {
    const grouped = groups.flatMap(([, rows]) => Object.keys(rows))
    assert.deepEqual([...grouped].sort(), [...operationNames].sort())
    assert.deepEqual(Object.keys(operations).sort(), [...operationNames].sort())
  })

  it('makes a sign-in wait for a password turn, but not a refresh', () => {
    assert.equal(operations.InitiateAuth.usesPassword({ AuthFlow: 'USER_SRP_AUTH' }), true)
    assert.equal(operations.SignUp.usesPassword({}), true)
    assert.equal(operations.InitiateAuth.usesPassword({ AuthFlow: 'REFRESH_TOKEN_AUTH' }), false)
    assert.equal(operations.GetUser.usesPassword({}), false)
  })
})
