import type { UserPoolType } from '@aws-sdk/client-cognito-identity-provider'
import type { Message } from './messenger.ts'

/** What a pool says about the words of its messages: the newer template members, and the older ones that they replaced. */
export type MessageTemplates = Pick<
  UserPoolType,
  | 'VerificationMessageTemplate'
  | 'EmailVerificationMessage'
  | 'EmailVerificationSubject'
  | 'SmsVerificationMessage'
  | 'AdminCreateUserConfig'
>

export interface Words {
  channel: Message['channel']
  /** The one-time code or temporary password; '' for an invitation without one. */
  code: string
  username: string
}

/**
 * The message with a code. Pools that confirm by link (CONFIRM_WITH_LINK) get the code too, in the words for codes: the
 * link's page is part of managed login.
 * https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pool-settings-message-customizations.html
 */
export function verificationMessage(pool: MessageTemplates, words: Words): Pick<Message, 'subject' | 'body'> {
  const template = pool.VerificationMessageTemplate ?? {}
  if (words.channel === 'SMS') {
    return { body: fill(template.SmsMessage ?? pool.SmsVerificationMessage ?? CODE, words, asText) }
  }
  return {
    subject: fill(template.EmailSubject ?? pool.EmailVerificationSubject ?? 'Your verification code', words, asText),
    body: fill(template.EmailMessage ?? pool.EmailVerificationMessage ?? CODE, words, asHtml),
  }
}

/** The message that invites a user whom an administrator created, with the temporary password if there is one. */
export function invitationMessage(pool: MessageTemplates, words: Words): Pick<Message, 'subject' | 'body'> {
  const template = pool.AdminCreateUserConfig?.InviteMessageTemplate ?? {}
  const usual = words.code === '' ? WELCOME : INVITATION
  if (words.channel === 'SMS') return { body: fill(template.SMSMessage ?? usual.body, words, asText) }
  return {
    subject: fill(template.EmailSubject ?? usual.subject, words, asText),
    body: fill(template.EmailMessage ?? usual.body, words, asHtml),
  }
}

const CODE = 'Your verification code is {####}.'
const WELCOME = { subject: 'Your account', body: 'Your username is {username}.' }
const INVITATION = {
  subject: 'Your temporary password',
  body: 'Your username is {username} and temporary password is {####}.',
}

/** Fills both placeholders in one pass, so that a value which looks like a placeholder stays what it is. */
function fill(template: string, { code, username }: Words, show: (text: string) => string): string {
  return template.replace(/\{####\}|\{username\}/g, (placeholder) => show(placeholder === '{####}' ? code : username))
}

// Bodies of e-mails are HTML; what comes from a person must not become part of it.
const asHtml = (text: string): string => text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
const asText = (text: string): string => text
