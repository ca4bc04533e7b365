import type { UserPoolType } from '@aws-sdk/client-cognito-identity-provider'
import type { Message } from './messenger.ts'

/** The message templates of a pool: the newer members, and the legacy members that they replaced. */
export type MessageTemplates = Pick<
  UserPoolType,
  | 'VerificationMessageTemplate'
  | 'EmailVerificationMessage'
  | 'EmailVerificationSubject'
  | 'SmsVerificationMessage'
  | 'AdminCreateUserConfig'
>

export interface TemplateValues {
  channel: Message['channel']
  /** The one-time code or temporary password; '' for an invitation without one. */
  code: string
  username: string
}

/**
 * The message with a code. Pools that confirm by link (CONFIRM_WITH_LINK) also get a code, with the template for codes, because
 * the link leads to a page of managed login.
 * https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pool-settings-message-customizations.html
 */
export function verificationMessage(pool: MessageTemplates, values: TemplateValues): Pick<Message, 'subject' | 'body'> {
  const template = pool.VerificationMessageTemplate ?? {}
  if (values.channel === 'SMS') {
    return { body: fill(template.SmsMessage ?? pool.SmsVerificationMessage ?? CODE, values, asText) }
  }
  return {
    subject: fill(template.EmailSubject ?? pool.EmailVerificationSubject ?? 'Your verification code', values, asText),
    body: fill(template.EmailMessage ?? pool.EmailVerificationMessage ?? CODE, values, asHtml),
  }
}

/** The invitation of a user created by an administrator, with the temporary password if there is one. */
export function invitationMessage(pool: MessageTemplates, values: TemplateValues): Pick<Message, 'subject' | 'body'> {
  const template = pool.AdminCreateUserConfig?.InviteMessageTemplate ?? {}
  const defaults = values.code === '' ? WELCOME : INVITATION
  if (values.channel === 'SMS') return { body: fill(template.SMSMessage ?? defaults.body, values, asText) }
  return {
    subject: fill(template.EmailSubject ?? defaults.subject, values, asText),
    body: fill(template.EmailMessage ?? defaults.body, values, asHtml),
  }
}

const CODE = 'Your verification code is {####}.'
const WELCOME = { subject: 'Your account', body: 'Your username is {username}.' }
const INVITATION = {
  subject: 'Your temporary password',
  body: 'Your username is {username} and temporary password is {####}.',
}

/** Replaces both placeholders in one pass, so that a value that looks like a placeholder is not replaced again. */
function fill(template: string, { code, username }: TemplateValues, show: (text: string) => string): string {
  return template.replace(/\{####\}|\{username\}/g, (placeholder) => show(placeholder === '{####}' ? code : username))
}

// E-mail bodies are HTML: user input must be escaped.
const asHtml = (text: string): string => text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
const asText = (text: string): string => text
