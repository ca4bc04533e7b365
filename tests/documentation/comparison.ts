/** Compares the output of a call with the documented one: the shape, and the values that are not different in every call. */

/** Members whose values are generated: only their type is compared. */
const GENERATED = new Set([
  'AccessToken',
  'ClientId',
  'ClientSecret',
  'CloudFrontDistribution',
  'CloudFrontDomain',
  'CurrentKeyMaterialId',
  'EstimatedNumberOfUsers',
  'ExpiresIn',
  'Id',
  'IdToken',
  'KeyMaterialId',
  'NextToken',
  'PaginationToken',
  'RefreshToken',
  'S3Bucket',
  'Session',
  'UserSub',
  'Version',
])

/** Stands for bytes in the documentation. */
export const BINARY = '<binary data>'

type Structure = Record<string, unknown>

/**
 * The differences as `path (missing)`, `path (added)` and `path (other value)`, without the metadata of the SDK. `known`: the ids
 * of the objects that stand for those of the documentation.
 */
export function compare(documented: unknown, actual: unknown, known: ReadonlyMap<string, string>): string[] {
  const { $metadata: _, ...output } = actual as Structure
  return differencesOf(renamed(documented, known), output, '')
}

function renamed(value: unknown, known: ReadonlyMap<string, string>): unknown {
  if (typeof value === 'string') {
    return [...known].reduce((text, [name, id]) => text.replaceAll(name, id), value)
  }
  if (Array.isArray(value)) return value.map((entry) => renamed(entry, known))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, renamed(inner, known)]))
}

function differencesOf(documented: unknown, actual: unknown, path: string): string[] {
  if (actual === undefined) return [`${path} (missing)`]
  if (documented === undefined) return [`${path} (added)`]
  if (actual instanceof Uint8Array) return documented === BINARY ? [] : [`${path} (other value)`]
  if (actual instanceof Date) return isTime(documented) ? [] : [`${path} (other value)`]
  if (isGenerated(path)) return typeof documented === typeof actual ? [] : [`${path} (other value)`]
  if (typeof documented !== 'object' || documented === null || typeof actual !== 'object' || actual === null) {
    return documented === actual ? [] : [`${path} (other value)`]
  }
  const [one, other] = [membersOf(documented), membersOf(actual)]
  const names = new Set([...Object.keys(one), ...Object.keys(other)])
  return [...names].flatMap((name) =>
    differencesOf(one[name], other[name], path === '' ? name : name.startsWith('[') ? path + name : `${path}.${name}`),
  )
}

/** Epoch seconds or ISO 8601: the documentation has both. */
const isTime = (value: unknown): boolean => typeof value === 'number' || !Number.isNaN(Date.parse(String(value)))

const isGenerated = (path: string): boolean =>
  GENERATED.has(path.split('.').at(-1) ?? '') || path.endsWith('[sub].Value')

/** The members of a structure; the entries of a list by name or value, because the service returns lists in any order. */
function membersOf(value: object): Structure {
  if (!Array.isArray(value)) return value as Structure
  return Object.fromEntries(value.map((entry, at) => [`[${labelOf(entry) ?? at}]`, entry]))
}

const LABELS = ['Name', 'AliasName', 'GroupName', 'ClientName', 'RegionName', 'Username'] as const

function labelOf(entry: unknown): unknown {
  if (typeof entry !== 'object' || entry === null) return entry
  const structure = entry as Structure
  const label = LABELS.find((name) => structure[name] !== undefined)
  return label && structure[label]
}
