import type { SchemaAttributeType } from '@aws-sdk/client-cognito-identity-provider'
import type { PoolDocument } from '../../directory/pool.ts'
import { type CognitoError, invalidParameter } from '../../errors.ts'
import { isVerifiedFlag } from '../users/attributes.ts'

const text = (Name: string, MaxLength = '2048', MinLength = '0'): SchemaAttributeType => ({
  Name,
  AttributeDataType: 'String',
  DeveloperOnlyAttribute: false,
  Mutable: true,
  Required: false,
  StringAttributeConstraints: { MinLength, MaxLength },
})
const flag = (Name: string): SchemaAttributeType => ({
  Name,
  AttributeDataType: 'Boolean',
  DeveloperOnlyAttribute: false,
  Mutable: true,
  Required: false,
})

/**
 * The attributes of every pool (OpenID Connect Core §5.1), in the order in which the service returns them.
 * https://docs.aws.amazon.com/cognito/latest/developerguide/user-pool-settings-attributes.html
 */
const STANDARD_ATTRIBUTES: readonly SchemaAttributeType[] = [
  { ...text('sub', '2048', '1'), Mutable: false, Required: true },
  text('name'),
  text('given_name'),
  text('family_name'),
  text('middle_name'),
  text('nickname'),
  text('preferred_username'),
  text('profile'),
  text('picture'),
  text('website'),
  text('email'),
  flag('email_verified'),
  text('gender'),
  text('birthdate', '10', '10'),
  text('zoneinfo'),
  text('locale'),
  text('phone_number'),
  flag('phone_number_verified'),
  text('address'),
  {
    Name: 'updated_at',
    AttributeDataType: 'Number',
    DeveloperOnlyAttribute: false,
    Mutable: true,
    Required: false,
    NumberAttributeConstraints: { MinValue: '0' },
  },
]

/** The attribute that federation keeps; the service lists it in every schema, and nobody else writes it. */
const IDENTITIES: SchemaAttributeType = {
  Name: 'identities',
  AttributeDataType: 'String',
  DeveloperOnlyAttribute: false,
  Mutable: true,
  Required: false,
  StringAttributeConstraints: {},
}

const CUSTOM_LIMIT = 50

/** The schema of a pool as the API shows it: the stored one, with `identities` after the standard attributes. */
export function completeSchema({
  SchemaAttributes = [],
}: Pick<PoolDocument, 'SchemaAttributes'>): SchemaAttributeType[] {
  return SchemaAttributes.toSpliced(STANDARD_ATTRIBUTES.length, 0, IDENTITIES)
}

/** The schema of a new pool: all standard attributes with the given overrides, and the custom ones. Throws InvalidParameterException. */
export function newSchema(wanted: readonly SchemaAttributeType[] = []): SchemaAttributeType[] {
  const schema = new Map(STANDARD_ATTRIBUTES.map((attribute) => [attribute.Name as string, attribute]))
  const own: SchemaAttributeType[] = []
  const seen = new Set<string>()
  for (const attribute of wanted) {
    const name = nameOf(attribute)
    // A flag of an address cannot be changed, so an entry with its name is a custom attribute.
    const standard = isVerifiedFlag(name) ? undefined : schema.get(name)
    if (!standard) {
      own.push(attribute)
      continue
    }
    if (seen.has(name)) throw taken(name)
    seen.add(name)
    schema.set(name, { ...standard, ...parseStandard(standard, attribute) })
  }
  return addToSchema([...schema.values()], own)
}

/** Adds custom (or developer-only) attributes to a schema; existing ones cannot be changed. Throws InvalidParameterException. */
export function addToSchema(
  schema: readonly SchemaAttributeType[],
  attributes: readonly SchemaAttributeType[],
): SchemaAttributeType[] {
  const result = [...schema]
  const names = new Set(schema.map(({ Name }) => Name))
  for (const attribute of attributes) {
    const own = parseCustom(attribute)
    if (names.has(own.Name)) throw taken(own.Name as string)
    names.add(own.Name)
    result.push(own)
  }
  if (result.length - STANDARD_ATTRIBUTES.length > CUSTOM_LIMIT) {
    throw invalidParameter(`Number of custom attributes exceeds the limit of ${CUSTOM_LIMIT}.`)
  }
  return result
}

/** The members of a standard attribute that a pool may override: Required, Mutable and the constraints. */
function parseStandard(standard: SchemaAttributeType, wanted: SchemaAttributeType): SchemaAttributeType {
  const name = standard.Name as string
  const { AttributeDataType = standard.AttributeDataType, DeveloperOnlyAttribute, Required, Mutable } = wanted
  if (AttributeDataType !== standard.AttributeDataType || DeveloperOnlyAttribute) {
    throw invalidParameter(
      `You can not change AttributeDataType or set developerOnlyAttribute for standard schema attribute ${name}`,
    )
  }
  if (name === 'sub' && (Required === false || Mutable === true)) {
    throw invalidParameter('You can not change the required or mutable setting of the attribute sub')
  }
  return {
    ...(Required !== undefined && { Required }),
    ...(Mutable !== undefined && { Mutable }),
    ...parseConstraints(name, { ...wanted, AttributeDataType: standard.AttributeDataType }),
  }
}

function parseCustom(wanted: SchemaAttributeType): SchemaAttributeType {
  const { AttributeDataType, DeveloperOnlyAttribute = false, Mutable = true, Required = false } = wanted
  const Name = `${DeveloperOnlyAttribute ? 'dev:' : ''}custom:${nameOf(wanted)}`
  if (AttributeDataType === undefined) {
    throw invalidParameter('Invalid AttributeDataType input, consider using the provided AttributeDataType enum.')
  }
  if (Required) throw invalidParameter('Required custom attributes are not supported currently.')
  return {
    Name,
    AttributeDataType,
    DeveloperOnlyAttribute,
    Mutable,
    Required,
    ...(AttributeDataType === 'String' && { StringAttributeConstraints: {} }),
    ...(AttributeDataType === 'Number' && { NumberAttributeConstraints: {} }),
    ...parseConstraints(Name, wanted),
  }
}

const INTEGER = /^-?\d{1,15}$/
const MAX_VALUE_LENGTH = 2048

/** Constraints of another data type are dropped. */
function parseConstraints(name: string, attribute: SchemaAttributeType): SchemaAttributeType {
  const { AttributeDataType, StringAttributeConstraints, NumberAttributeConstraints } = attribute
  const length = AttributeDataType === 'String' ? StringAttributeConstraints : undefined
  const value = AttributeDataType === 'Number' ? NumberAttributeConstraints : undefined
  if (length) checkRange(name, [length.MinLength, length.MaxLength], { least: 0, most: MAX_VALUE_LENGTH })
  if (value) checkRange(name, [value.MinValue, value.MaxValue], { least: -Infinity, most: Infinity })
  return {
    ...(length && { StringAttributeConstraints: length }),
    ...(value && { NumberAttributeConstraints: value }),
  }
}

function checkRange(
  name: string,
  [min, max]: [string | undefined, string | undefined],
  { least, most }: { least: number; most: number },
): void {
  for (const bound of [min, max]) {
    if (bound === undefined) continue
    if (!INTEGER.test(bound) || Number(bound) < least || Number(bound) > most) {
      throw invalidParameter(`${name}: Invalid constraint ${bound.slice(0, 32)}.`)
    }
  }
  if (min !== undefined && max !== undefined && Number(min) > Number(max)) {
    throw invalidParameter(`${name}: The minimum ${min} is greater than the maximum ${max}.`)
  }
}

/** The caller gives a name without prefix; the service adds it. */
function nameOf({ Name }: SchemaAttributeType): string {
  if (Name === undefined) throw invalidParameter('Attribute name is required.')
  if (Name.includes(':')) throw invalidParameter(`Invalid attribute name: ${Name}`)
  return Name
}

const taken = (name: string): CognitoError => invalidParameter(`${name}: Existing attribute already has name ${name}.`)
