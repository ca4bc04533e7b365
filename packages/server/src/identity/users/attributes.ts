import type { AttributeType, SchemaAttributeType } from '@aws-sdk/client-cognito-identity-provider'
import { isTrue } from '../../directory/alias.ts'
import type { Client } from '../../directory/client.ts'
import type { Pool } from '../../directory/pool.ts'
import type { UserDocument } from '../../directory/user.ts'
import { type CognitoError, invalidParameter, notAuthorized } from '../../errors.ts'
import { completeSchema } from '../pools/schema.ts'

/** Attribute values by name; in a set of changes, `''` removes the attribute. */
export type Attributes = Record<string, string>

/** The addresses that a code can be sent to; each has a flag `<name>_verified`. */
export const VERIFIABLE = ['email', 'phone_number'] as const
export type Verifiable = (typeof VERIFIABLE)[number]

/** The holder of the write permission: an app client, or an administrator (signed calls). */
export type Writer = Client | 'administrator'

/**
 * Parses the attributes of a new user: each must be in the schema, valid for its type, and writable by the client. An empty
 * value counts as absent. Throws InvalidParameterException, NotAuthorizedException.
 * https://docs.aws.amazon.com/cognito/latest/developerguide/user-pool-settings-attributes.html
 */
export function parseNewAttributes(pool: Pool, list: readonly AttributeType[] | undefined, writer: Writer): Attributes {
  const schema = schemaOf(pool)
  const attributes = collect(list)
  checkWritable(writer, Object.keys(attributes))
  const violations: string[] = []
  for (const [name, value] of Object.entries(attributes)) {
    const rule = schema.get(name)
    if (!rule) violations.push(`${name}: Attribute does not exist in the schema.`)
    else if (isServiceAttribute(name)) throw nonMutable(name)
    else if (value === '') delete attributes[name]
    else violations.push(...violationsOf(rule, name, value))
  }
  if (violations.length > 0) throw nonconforming(violations)
  for (const [name, value] of Object.entries(attributes)) checkFormat(name, value)
  return attributes
}

/** Checks that all required attributes have values. Throws InvalidParameterException. */
export function checkRequired(pool: Pool, attributes: Readonly<Attributes>): void {
  const missing = requiredAttributes(pool).filter((name) => attributes[name] === undefined)
  if (missing.length > 0) throw nonconforming(missing.map((name) => `${name}: The attribute is required`))
}

/** The names of the required attributes, without `sub`, which the service assigns. */
export function requiredAttributes(pool: Pool): string[] {
  return [...schemaOf(pool).values()].flatMap(({ Required, Name }) =>
    Required && Name && Name !== 'sub' ? [Name] : [],
  )
}

/**
 * Parses changes of a user's attributes, and drops values that are already present. Throws InvalidParameterException,
 * NotAuthorizedException.
 */
export function parseChanges(
  pool: Pool,
  present: Readonly<Attributes>,
  list: readonly AttributeType[] | undefined,
  writer: Writer,
): Attributes {
  const schema = schemaOf(pool)
  const changes = collect(list)
  checkWritable(writer, Object.keys(changes))
  const violations: string[] = []
  for (const [name, value] of Object.entries(changes)) {
    const rule = schema.get(name)
    if (!rule) throw invalidParameter(`Type for attribute {${name}} could not be determined`)
    if (isServiceAttribute(name)) throw nonMutable(name)
    // Keep an unchanged flag: it belongs to the address in the same call, and withChanges resets it otherwise.
    if ((present[name] ?? '') === value && !isVerifiedFlag(name)) delete changes[name]
    else if (rule.Mutable === false) throw invalidParameter(`user.${name}: Attribute cannot be updated.`)
    else if (value !== '') violations.push(...violationsOf(rule, name, value))
    else if (rule.Required) violations.push(`${name}: The attribute is required`)
  }
  if (violations.length > 0) throw nonconforming(violations)
  for (const [name, value] of Object.entries(changes)) checkFormat(name, value)
  return changes
}

/** The changes that remove the named attributes. */
export const removalOf = (names: readonly string[]): AttributeType[] => names.map((Name) => ({ Name, Value: '' }))

/** Applies changes. A new address resets the `_verified` flag if it was set before, and a removed address removes it. */
export function withChanges(present: Readonly<Attributes>, changes: Readonly<Attributes>): Attributes {
  const attributes = { ...present, ...changes }
  for (const name of VERIFIABLE) {
    const flag = `${name}_verified`
    if (changes[name] !== undefined && changes[flag] === undefined && present[flag] !== undefined)
      attributes[flag] = 'false'
    if ((attributes[name] ?? '') === '') delete attributes[flag]
  }
  for (const [name, value] of Object.entries(attributes)) if (value === '') delete attributes[name]
  return attributes
}

/** Checks that no `_verified` flag is true without its address. Throws InvalidParameterException. */
export function checkVerifiedFlags(attributes: Readonly<Attributes>): void {
  for (const name of VERIFIABLE) {
    if (isTrue(attributes[`${name}_verified`]) && !attributes[name]) {
      throw invalidParameter(`${name} is required when ${name}_verified is set to true`)
    }
  }
}

/** A user's attributes in API format, `sub` first. `client`: include only attributes that it may read. */
export function listAttributes(user: UserDocument, client?: Client): AttributeType[] {
  const all: AttributeType[] = Object.entries(user.attributes).map(([Name, Value]) => ({ Name, Value }))
  const visible = client ? all.filter(({ Name = '' }) => isReadable(client, Name)) : all
  return [{ Name: 'sub', Value: user.sub }, ...visible]
}

/**
 * The attributes that tokens for a client have. An address without a flag counts as not verified.
 */
export function claimedAttributes(user: UserDocument, client: Client): Attributes {
  const attributes = Object.fromEntries(listAttributes(user, client).map(({ Name = '', Value = '' }) => [Name, Value]))
  for (const name of VERIFIABLE) {
    const flag = `${name}_verified`
    if (attributes[name] !== undefined && isReadable(client, flag)) attributes[flag] ??= 'false'
  }
  return attributes
}

/** Checks that all requested attributes are in the pool's schema. Throws InvalidParameterException. */
export function checkKnown(pool: Pool, names: readonly string[]): void {
  const schema = schemaOf(pool)
  if (!names.every((name) => schema.has(name)))
    throw invalidParameter('One or more requested attributes do not exist in user pool.')
}

/** The schema of the pool, by full attribute name (with `custom:`, `dev:`). */
function schemaOf(pool: Pool): ReadonlyMap<string, SchemaAttributeType> {
  return new Map(completeSchema(pool.document).map((rule) => [rule.Name ?? '', rule]))
}

/** Whether the value is an e-mail address that a message can be sent to. https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.1 */
export const isEmail = (value: string): boolean =>
  value.length <= 320 &&
  /^[^\s\p{C}@<>()[\],;:\\"]{1,64}@[^\s\p{C}@<>()[\],;:\\"]+$/u.test(value) &&
  !/^\.|\.\.|\.@|@\.|@.*\.$/.test(value)

/** Whether the value is a phone number in ITU-T E.164 format: `+`, then up to 15 digits. */
export const isPhoneNumber = (value: string): boolean => /^\+[1-9]\d{1,14}$/.test(value)

function collect(list: readonly AttributeType[] | undefined): Attributes {
  return Object.fromEntries((list ?? []).map(({ Name = '', Value = '' }) => [Name, Value]))
}

/** Without WriteAttributes, a client may write all standard attributes. It never writes the `_verified` flags. Throws NotAuthorizedException. */
export function checkWritable(writer: Writer, names: readonly string[]): void {
  if (writer === 'administrator') return
  const { WriteAttributes } = writer.document
  for (const name of names) {
    const allowed = WriteAttributes?.includes(name) ?? isStandard(name)
    if (!allowed || isVerifiedFlag(name) || name.startsWith('dev:')) {
      throw notAuthorized('A client attempted to write unauthorized attribute')
    }
  }
}

/** The attributes that only the service writes. */
export const isServiceAttribute = (name: string): boolean => name === 'sub' || name === 'identities'

export const nonMutable = (name: string): CognitoError =>
  invalidParameter(`Cannot modify the non-mutable attribute ${name}`)

/** Exact names only: a custom attribute may also end with `_verified`. */
export const isVerifiedFlag = (name: string): boolean => VERIFIABLE.some((address) => name === `${address}_verified`)

/** Without ReadAttributes, a client may read all standard attributes. */
const isReadable = ({ document }: Client, name: string): boolean =>
  document.ReadAttributes?.includes(name) ?? isStandard(name)

const isStandard = (name: string): boolean => !name.includes(':')

/** The violations of a schema rule, one line each. */
function violationsOf(rule: SchemaAttributeType, name: string, value: string): string[] {
  switch (rule.AttributeDataType) {
    case 'Boolean':
      return /^(true|false)$/i.test(value) ? [] : [`${name}: Boolean must be true or false`]
    case 'DateTime':
      return Number.isNaN(Date.parse(value)) ? [`${name}: DateTime must be in ISO 8601 format`] : []
    case 'Number': {
      if (!/^-?\d{1,256}(\.\d{1,256})?$/.test(value)) return [`${name}: Number is not a number`]
      const { MinValue, MaxValue } = rule.NumberAttributeConstraints ?? {}
      if (MinValue !== undefined && Number(value) < Number(MinValue))
        return [`${name}: Number must be no less than ${MinValue}`]
      if (MaxValue !== undefined && Number(value) > Number(MaxValue))
        return [`${name}: Number must be no greater than ${MaxValue}`]
      return []
    }
    default: {
      const { MinLength, MaxLength } = rule.StringAttributeConstraints ?? {}
      if (MinLength !== undefined && value.length < Number(MinLength))
        return [`${name}: String must be no shorter than ${MinLength} characters`]
      if (MaxLength !== undefined && value.length > Number(MaxLength))
        return [`${name}: String must be no longer than ${MaxLength} characters`]
      return []
    }
  }
}

function checkFormat(name: string, value: string): void {
  if (value === '') return
  if (name === 'email' && !isEmail(value)) throw invalidParameter('Invalid email address format.')
  if (name === 'phone_number' && !isPhoneNumber(value)) throw invalidParameter('Invalid phone number format')
}

const nonconforming = (violations: readonly string[]): CognitoError =>
  invalidParameter(`Attributes did not conform to the schema: ${violations.join('\n')}`)
