import { authOperations } from './operations/auth/table.ts'
import { brandingOperations } from './operations/branding/table.ts'
import { clientsOperations } from './operations/clients/table.ts'
import { devicesOperations } from './operations/devices/table.ts'
import { domainsOperations } from './operations/domains/table.ts'
import { groupsOperations } from './operations/groups/table.ts'
import { identityProvidersOperations } from './operations/identity-providers/table.ts'
import { importsOperations } from './operations/imports/table.ts'
import { limitsOperations } from './operations/limits/table.ts'
import { mfaOperations } from './operations/mfa/table.ts'
import { passkeysOperations } from './operations/passkeys/table.ts'
import { poolsOperations } from './operations/pools/table.ts'
import { replicasOperations } from './operations/replicas/table.ts'
import { resourceServersOperations } from './operations/resource-servers/table.ts'
import { riskOperations } from './operations/risk/table.ts'
import { selfServiceOperations } from './operations/self-service/table.ts'
import { sessionsOperations } from './operations/sessions/table.ts'
import { tagsOperations } from './operations/tags/table.ts'
import { usersOperations } from './operations/users/table.ts'
import type { OperationRow } from './rows.ts'
import type { OperationName } from './shapes.generated.ts'

/**
 * The table of all operations of the API: the kind of its caller, its right in a secondary region (I, A or P: see
 * admission/gate.ts), and its handler. A row without a handler returns NotImplementedException.
 * Sources: the service model, and the operation lists of
 * https://docs.aws.amazon.com/cognito/latest/developerguide/user-pool-multi-region-replication.html
 */
export const operations = {
  ...poolsOperations,
  ...clientsOperations,
  ...domainsOperations,
  ...usersOperations,
  ...selfServiceOperations,
  ...authOperations,
  ...mfaOperations,
  ...devicesOperations,
  ...passkeysOperations,
  ...groupsOperations,
  ...resourceServersOperations,
  ...identityProvidersOperations,
  ...brandingOperations,
  ...importsOperations,
  ...riskOperations,
  ...tagsOperations,
  ...replicasOperations,
  ...sessionsOperations,
  ...limitsOperations,
} as const satisfies Record<OperationName, OperationRow>

/** The groups and their titles, in the order in which the documentation lists them. */
export const groups: readonly (readonly [title: string, Readonly<Record<string, OperationRow>>])[] = [
  ['Pools', poolsOperations],
  ['Clients and secrets', clientsOperations],
  ['Domains', domainsOperations],
  ['User administration', usersOperations],
  ['User self-service', selfServiceOperations],
  ['Authentication and tokens', authOperations],
  ['MFA', mfaOperations],
  ['Devices', devicesOperations],
  ['Passkeys', passkeysOperations],
  ['Groups', groupsOperations],
  ['Resource servers', resourceServersOperations],
  ['Identity providers', identityProvidersOperations],
  ['Branding, terms, classic UI', brandingOperations],
  ['Import jobs', importsOperations],
  ['Risk and log configuration', riskOperations],
  ['Tags', tagsOperations],
  ['Replicas', replicasOperations],
  ['Sessions', sessionsOperations],
  ['Provisioned limits', limitsOperations],
]
