import { KmsError } from './errors.ts'

/** https://docs.aws.amazon.com/kms/latest/developerguide/resource-limits.html */
const POLICY_BYTES = 32_768
/** The only name that a key policy can have. */
export const POLICY_NAME = 'default'

/** The policy of a key that was created without one, in the layout of AWS. https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html */
export const defaultPolicy = (accountId: string): string => `{
  "Version" : "2012-10-17",
  "Id" : "key-default-1",
  "Statement" : [ {
    "Sid" : "Enable IAM User Permissions",
    "Effect" : "Allow",
    "Principal" : {
      "AWS" : "arn:aws:iam::${accountId}:root"
    },
    "Action" : "kms:*",
    "Resource" : "*"
  } ]
}`

export function checkPolicyName(name: string | undefined): void {
  if (name !== undefined && name !== POLICY_NAME) throw new KmsError('NotFoundException', 'No such policy exists')
}

/**
 * Checks the form of a key policy and, unless `bypassLockoutCheck` is set, that the policy still allows the account to change
 * it. Throws MalformedPolicyDocumentException and LimitExceededException.
 */
export function checkPolicy(
  text: string,
  { accountId, bypassLockoutCheck }: { accountId: string; bypassLockoutCheck: boolean },
): void {
  if (Buffer.byteLength(text) > POLICY_BYTES) {
    throw new KmsError('LimitExceededException', `The key policy exceeds the limit of ${POLICY_BYTES} bytes.`)
  }
  const statements = readStatements(text)
  if (!bypassLockoutCheck && !statements.some((statement) => allowsPutPolicy(statement, accountId))) {
    malformed('The new key policy will not allow you to update the key policy in the future.')
  }
}

type Statement = Record<string, unknown>

const VERSIONS = new Set<unknown>(['2012-10-17', '2008-10-17', undefined])

function readStatements(text: string): Statement[] {
  let policy: unknown
  try {
    policy = JSON.parse(text)
  } catch {
    return malformed('The policy is not JSON.')
  }
  if (!isObject(policy) || !VERSIONS.has(policy.Version))
    return malformed('The version of the policy is missing or unknown.')
  const statements = Array.isArray(policy.Statement) ? policy.Statement : [policy.Statement]
  if (statements.length === 0 || !statements.every(isStatement))
    return malformed('A statement of the policy is malformed.')
  return statements
}

function isStatement(value: unknown): value is Statement {
  if (!isObject(value) || (value.Effect !== 'Allow' && value.Effect !== 'Deny')) return false
  const oneOf = (name: string): boolean => (value[name] === undefined) !== (value[`Not${name}`] === undefined)
  return oneOf('Principal') && oneOf('Action') && oneOf('Resource')
}

function allowsPutPolicy({ Effect, Principal, Action }: Statement, accountId: string): boolean {
  const principals = isObject(Principal) ? listOf(Principal.AWS) : listOf(Principal)
  const ours = (name: string): boolean =>
    name === '*' || name === accountId || /^arn:aws[\w-]*:(iam|sts)::(\d+):/.exec(name)?.[2] === accountId
  return Effect === 'Allow' && principals.some(ours) && listOf(Action).some(coversPutPolicy)
}

/** Whether a pattern of actions (`*` any characters, `?` one) covers kms:PutKeyPolicy. */
function coversPutPolicy(pattern: string): boolean {
  const action = 'kms:putkeypolicy'
  // Lengths of the prefixes of the action that the pattern matches so far. Takes at most pattern length x action length steps.
  let reached = new Set([0])
  for (const char of pattern.toLowerCase()) {
    const next = new Set<number>()
    for (const at of reached) {
      if (char === '*') for (let end = at; end <= action.length; end += 1) next.add(end)
      else if (at < action.length && (char === '?' || char === action[at])) next.add(at + 1)
    }
    if (next.size === 0) return false
    reached = next
  }
  return reached.has(action.length)
}

const listOf = (value: unknown): string[] =>
  (Array.isArray(value) ? value : [value]).filter((entry) => typeof entry === 'string')

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function malformed(message: string): never {
  throw new KmsError('MalformedPolicyDocumentException', message)
}
