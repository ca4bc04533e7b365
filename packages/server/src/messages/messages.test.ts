import assert from 'node:assert/strict'
import { test } from 'node:test'
import { maskDestination } from './masking.ts'
import { invitationMessage, verificationMessage } from './templates.ts'

for (const [value, masked] of [
  ['ann@example.com', 'a***@e***'],
  ['a@b', 'a***@b***'],
  ['+12065551234', '+*******1234'],
  ['+4915112345678', '+*********5678'],
  ['+123', '+123'],
  ['🎉@example.com', '🎉***@e***'],
] as const) {
  test(`${value} is shown as ${masked}`, () => assert.equal(maskDestination(value), masked))
}

test('a pool without templates uses the default ones', () => {
  const words = { code: '123456', username: 'ann' }
  assert.deepEqual(verificationMessage({}, { ...words, channel: 'EMAIL' }), {
    subject: 'Your verification code',
    body: 'Your verification code is 123456.',
  })
  assert.deepEqual(verificationMessage({}, { ...words, channel: 'SMS' }), { body: 'Your verification code is 123456.' })
  assert.deepEqual(invitationMessage({}, { ...words, channel: 'SMS' }), {
    body: 'Your username is ann and temporary password is 123456.',
  })
})

test('the newer template members take precedence over the legacy ones', () => {
  const pool = {
    EmailVerificationMessage: 'old {####}',
    EmailVerificationSubject: 'old',
    VerificationMessageTemplate: { EmailMessage: 'new {####}', EmailSubject: 'new' },
  }
  const words = { channel: 'EMAIL', code: '1', username: 'ann' } as const
  assert.deepEqual(verificationMessage(pool, words), { subject: 'new', body: 'new 1' })
})

test('a value that looks like a placeholder or a replacement pattern is not replaced', () => {
  const pool = { SmsVerificationMessage: '{username} {####}' }
  const words = { channel: 'SMS', code: '$& $1', username: '{####}' } as const
  assert.equal(verificationMessage(pool, words).body, '{####} $& $1')
})
