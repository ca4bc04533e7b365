/**
 * The kind of an operation. It decides whether an operation with an unknown outcome may be retried:
 * every kind except `write` may be retried in another region (SPEC.md, "Retry rules").
 */
export type Kind = 'signIn' | 'answer' | 'refresh' | 'signOut' | 'read' | 'write'

/**
 * The regions that an operation may go to.
 * - `any`: the preferred usable region, then the others;
 * - `asker`: the region that issued the challenge, then the others if challenges are portable;
 * - `primary`: only the primary region;
 * - `regional`: only the region that the caller names (by default the primary), because the
 *   settings that it reads or writes differ between regions.
 */
export type Route = 'any' | 'asker' | 'primary' | 'regional'

/**
 * How a replica handles the operation: `I` serves it while INACTIVE and ACTIVE, `A` only while ACTIVE,
 * `P` refuses it (OperationNotEnabledException).
 */
export type ReplicaGate = 'I' | 'A' | 'P'

export type OperationRow = { readonly kind: Kind; readonly route: Route; readonly replica: ReplicaGate }

/** An operation that is not in the table (of a newer SDK) is treated as a write to the primary, the safest rule. */
export const UNKNOWN_OPERATION: OperationRow = { kind: 'write', route: 'primary', replica: 'P' }

/**
 * The 140 operations of the user pools API, 2016-04-18.
 *
 * Reads of settings that are kept per region (e-mail and SMS senders, triggers, tags, logs, domains) are
 * `regional`, like the calls that change them: UpdateUserPool replaces all settings and must never
 * receive the values of another region.
 */
// biome-ignore format: an aligned table is read column by column
export const OPERATIONS = {
  // Pools
  CreateUserPool:                        { kind: 'write',   route: 'regional', replica: 'P' },
  DescribeUserPool:                      { kind: 'read',    route: 'regional', replica: 'I' },
  UpdateUserPool:                        { kind: 'write',   route: 'regional', replica: 'I' },
  DeleteUserPool:                        { kind: 'write',   route: 'regional', replica: 'P' },
  ListUserPools:                         { kind: 'read',    route: 'regional', replica: 'I' },
  AddCustomAttributes:                   { kind: 'write',   route: 'primary',  replica: 'P' },
  GetUserPoolMfaConfig:                  { kind: 'read',    route: 'regional', replica: 'I' },
  SetUserPoolMfaConfig:                  { kind: 'write',   route: 'regional', replica: 'I' },
  GetSigningCertificate:                 { kind: 'read',    route: 'any',      replica: 'I' },
  GetCSVHeader:                          { kind: 'read',    route: 'primary',  replica: 'P' },
  // Clients and secrets
  CreateUserPoolClient:                  { kind: 'write',   route: 'primary',  replica: 'P' },
  DescribeUserPoolClient:                { kind: 'read',    route: 'any',      replica: 'I' },
  UpdateUserPoolClient:                  { kind: 'write',   route: 'primary',  replica: 'P' },
  DeleteUserPoolClient:                  { kind: 'write',   route: 'primary',  replica: 'P' },
  ListUserPoolClients:                   { kind: 'read',    route: 'any',      replica: 'I' },
  AddUserPoolClientSecret:               { kind: 'write',   route: 'primary',  replica: 'P' },
  DeleteUserPoolClientSecret:            { kind: 'write',   route: 'primary',  replica: 'P' },
  ListUserPoolClientSecrets:             { kind: 'read',    route: 'any',      replica: 'I' },
  // Domains
  CreateUserPoolDomain:                  { kind: 'write',   route: 'regional', replica: 'I' },
  DescribeUserPoolDomain:                { kind: 'read',    route: 'regional', replica: 'I' },
  UpdateUserPoolDomain:                  { kind: 'write',   route: 'regional', replica: 'I' },
  DeleteUserPoolDomain:                  { kind: 'write',   route: 'regional', replica: 'I' },
  // User administration
  AdminCreateUser:                       { kind: 'write',   route: 'primary',  replica: 'P' },
  AdminGetUser:                          { kind: 'read',    route: 'any',      replica: 'I' },
  ListUsers:                             { kind: 'read',    route: 'any',      replica: 'I' },
  AdminUpdateUserAttributes:             { kind: 'write',   route: 'primary',  replica: 'P' },
  AdminDeleteUserAttributes:             { kind: 'write',   route: 'primary',  replica: 'P' },
  AdminDeleteUser:                       { kind: 'write',   route: 'primary',  replica: 'P' },
  AdminEnableUser:                       { kind: 'write',   route: 'primary',  replica: 'P' },
  AdminDisableUser:                      { kind: 'write',   route: 'primary',  replica: 'P' },
  AdminConfirmSignUp:                    { kind: 'write',   route: 'primary',  replica: 'P' },
  AdminResetUserPassword:                { kind: 'write',   route: 'primary',  replica: 'P' },
  AdminSetUserPassword:                  { kind: 'write',   route: 'primary',  replica: 'P' },
  AdminSetUserSettings:                  { kind: 'write',   route: 'primary',  replica: 'P' },
  AdminLinkProviderForUser:              { kind: 'write',   route: 'primary',  replica: 'P' },
  AdminDisableProviderForUser:           { kind: 'write',   route: 'primary',  replica: 'P' },
  AdminUserGlobalSignOut:                { kind: 'signOut', route: 'any',      replica: 'A' },
  AdminListUserAuthEvents:               { kind: 'read',    route: 'any',      replica: 'I' },
  AdminUpdateAuthEventFeedback:          { kind: 'write',   route: 'any',      replica: 'A' },
  // User self-service
  SignUp:                                { kind: 'write',   route: 'primary',  replica: 'P' },
  ConfirmSignUp:                         { kind: 'write',   route: 'primary',  replica: 'P' },
  ResendConfirmationCode:                { kind: 'write',   route: 'primary',  replica: 'P' },
  ForgotPassword:                        { kind: 'write',   route: 'primary',  replica: 'P' },
  ConfirmForgotPassword:                 { kind: 'write',   route: 'primary',  replica: 'P' },
  ChangePassword:                        { kind: 'write',   route: 'primary',  replica: 'P' },
  GetUser:                               { kind: 'read',    route: 'any',      replica: 'A' },
  UpdateUserAttributes:                  { kind: 'write',   route: 'primary',  replica: 'P' },
  DeleteUserAttributes:                  { kind: 'write',   route: 'primary',  replica: 'P' },
  GetUserAttributeVerificationCode:      { kind: 'write',   route: 'primary',  replica: 'P' },
  VerifyUserAttribute:                   { kind: 'write',   route: 'primary',  replica: 'P' },
  DeleteUser:                            { kind: 'write',   route: 'primary',  replica: 'P' },
  SetUserSettings:                       { kind: 'write',   route: 'primary',  replica: 'P' },
  UpdateAuthEventFeedback:               { kind: 'write',   route: 'any',      replica: 'A' },
  // Authentication and tokens
  InitiateAuth:                          { kind: 'signIn',  route: 'any',      replica: 'A' },
  RespondToAuthChallenge:                { kind: 'answer',  route: 'asker',    replica: 'A' },
  AdminInitiateAuth:                     { kind: 'signIn',  route: 'any',      replica: 'A' },
  AdminRespondToAuthChallenge:           { kind: 'answer',  route: 'asker',    replica: 'A' },
  GetTokensFromRefreshToken:             { kind: 'refresh', route: 'any',      replica: 'A' },
  GetClientToken:                        { kind: 'signIn',  route: 'primary',  replica: 'P' },
  RevokeToken:                           { kind: 'signOut', route: 'any',      replica: 'A' },
  GlobalSignOut:                         { kind: 'signOut', route: 'any',      replica: 'A' },
  // MFA, devices, passkeys
  AssociateSoftwareToken:                { kind: 'write',   route: 'primary',  replica: 'P' },
  VerifySoftwareToken:                   { kind: 'write',   route: 'primary',  replica: 'P' },
  AdminDeleteSoftwareToken:              { kind: 'write',   route: 'primary',  replica: 'P' },
  SetUserMFAPreference:                  { kind: 'write',   route: 'primary',  replica: 'P' },
  AdminSetUserMFAPreference:             { kind: 'write',   route: 'primary',  replica: 'P' },
  GetUserAuthFactors:                    { kind: 'read',    route: 'any',      replica: 'A' },
  AdminGetUserAuthFactors:               { kind: 'read',    route: 'primary',  replica: 'P' },
  ConfirmDevice:                         { kind: 'write',   route: 'primary',  replica: 'P' },
  GetDevice:                             { kind: 'read',    route: 'any',      replica: 'A' },
  ListDevices:                           { kind: 'read',    route: 'any',      replica: 'A' },
  UpdateDeviceStatus:                    { kind: 'write',   route: 'primary',  replica: 'P' },
  ForgetDevice:                          { kind: 'write',   route: 'primary',  replica: 'P' },
  AdminGetDevice:                        { kind: 'read',    route: 'any',      replica: 'I' },
  AdminListDevices:                      { kind: 'read',    route: 'any',      replica: 'I' },
  AdminUpdateDeviceStatus:               { kind: 'write',   route: 'primary',  replica: 'P' },
  AdminForgetDevice:                     { kind: 'write',   route: 'primary',  replica: 'P' },
  StartWebAuthnRegistration:             { kind: 'write',   route: 'primary',  replica: 'P' },
  CompleteWebAuthnRegistration:          { kind: 'write',   route: 'primary',  replica: 'P' },
  ListWebAuthnCredentials:               { kind: 'read',    route: 'any',      replica: 'A' },
  DeleteWebAuthnCredential:              { kind: 'write',   route: 'primary',  replica: 'P' },
  // Groups
  CreateGroup:                           { kind: 'write',   route: 'primary',  replica: 'P' },
  GetGroup:                              { kind: 'read',    route: 'any',      replica: 'I' },
  UpdateGroup:                           { kind: 'write',   route: 'primary',  replica: 'P' },
  DeleteGroup:                           { kind: 'write',   route: 'primary',  replica: 'P' },
  ListGroups:                            { kind: 'read',    route: 'any',      replica: 'I' },
  ListUsersInGroup:                      { kind: 'read',    route: 'any',      replica: 'I' },
  AdminAddUserToGroup:                   { kind: 'write',   route: 'primary',  replica: 'P' },
  AdminRemoveUserFromGroup:              { kind: 'write',   route: 'primary',  replica: 'P' },
  AdminListGroupsForUser:                { kind: 'read',    route: 'any',      replica: 'I' },
  // Resource servers
  CreateResourceServer:                  { kind: 'write',   route: 'primary',  replica: 'P' },
  DescribeResourceServer:                { kind: 'read',    route: 'any',      replica: 'I' },
  UpdateResourceServer:                  { kind: 'write',   route: 'primary',  replica: 'P' },
  DeleteResourceServer:                  { kind: 'write',   route: 'primary',  replica: 'P' },
  ListResourceServers:                   { kind: 'read',    route: 'any',      replica: 'I' },
  // Identity providers
  CreateIdentityProvider:                { kind: 'write',   route: 'primary',  replica: 'P' },
  DescribeIdentityProvider:              { kind: 'read',    route: 'any',      replica: 'I' },
  GetIdentityProviderByIdentifier:       { kind: 'read',    route: 'any',      replica: 'A' },
  UpdateIdentityProvider:                { kind: 'write',   route: 'primary',  replica: 'P' },
  DeleteIdentityProvider:                { kind: 'write',   route: 'primary',  replica: 'P' },
  ListIdentityProviders:                 { kind: 'read',    route: 'any',      replica: 'I' },
  // Branding, terms, classic UI
  CreateManagedLoginBranding:            { kind: 'write',   route: 'primary',  replica: 'P' },
  DescribeManagedLoginBranding:          { kind: 'read',    route: 'any',      replica: 'I' },
  DescribeManagedLoginBrandingByClient:  { kind: 'read',    route: 'any',      replica: 'I' },
  UpdateManagedLoginBranding:            { kind: 'write',   route: 'primary',  replica: 'P' },
  DeleteManagedLoginBranding:            { kind: 'write',   route: 'primary',  replica: 'P' },
  CreateTerms:                           { kind: 'write',   route: 'primary',  replica: 'P' },
  DescribeTerms:                         { kind: 'read',    route: 'any',      replica: 'I' },
  DescribeTermsByClient:                 { kind: 'read',    route: 'primary',  replica: 'P' },
  UpdateTerms:                           { kind: 'write',   route: 'primary',  replica: 'P' },
  DeleteTerms:                           { kind: 'write',   route: 'primary',  replica: 'P' },
  ListTerms:                             { kind: 'read',    route: 'any',      replica: 'I' },
  GetUICustomization:                    { kind: 'read',    route: 'any',      replica: 'I' },
  SetUICustomization:                    { kind: 'write',   route: 'primary',  replica: 'P' },
  // Import jobs
  CreateUserImportJob:                   { kind: 'write',   route: 'primary',  replica: 'P' },
  DescribeUserImportJob:                 { kind: 'read',    route: 'primary',  replica: 'P' },
  ListUserImportJobs:                    { kind: 'read',    route: 'primary',  replica: 'P' },
  StartUserImportJob:                    { kind: 'write',   route: 'primary',  replica: 'P' },
  StopUserImportJob:                     { kind: 'write',   route: 'primary',  replica: 'P' },
  // Risk and log configuration
  DescribeRiskConfiguration:             { kind: 'read',    route: 'regional', replica: 'I' },
  SetRiskConfiguration:                  { kind: 'write',   route: 'regional', replica: 'I' },
  GetLogDeliveryConfiguration:           { kind: 'read',    route: 'regional', replica: 'I' },
  SetLogDeliveryConfiguration:           { kind: 'write',   route: 'regional', replica: 'I' },
  // Tags
  TagResource:                           { kind: 'write',   route: 'regional', replica: 'I' },
  UntagResource:                         { kind: 'write',   route: 'regional', replica: 'I' },
  ListTagsForResource:                   { kind: 'read',    route: 'regional', replica: 'I' },
  // Replicas
  CreateUserPoolReplica:                 { kind: 'write',   route: 'regional', replica: 'P' },
  ListUserPoolReplicas:                  { kind: 'read',    route: 'any',      replica: 'I' },
  UpdateUserPoolReplica:                 { kind: 'write',   route: 'regional', replica: 'I' },
  DeleteUserPoolReplica:                 { kind: 'write',   route: 'regional', replica: 'I' },
  // Sessions
  SetUserPoolSessionConfiguration:       { kind: 'write',   route: 'primary',  replica: 'P' },
  GetUserPoolSessionConfiguration:       { kind: 'read',    route: 'primary',  replica: 'P' },
  SetUserPoolClientSessionConfiguration: { kind: 'write',   route: 'primary',  replica: 'P' },
  GetUserPoolClientSessionConfiguration: { kind: 'read',    route: 'primary',  replica: 'P' },
  ListUserSessions:                      { kind: 'read',    route: 'primary',  replica: 'P' },
  RevokeUserSession:                     { kind: 'write',   route: 'primary',  replica: 'P' },
  AdminListUserSessions:                 { kind: 'read',    route: 'primary',  replica: 'P' },
  AdminRevokeUserSession:                { kind: 'write',   route: 'primary',  replica: 'P' },
  // Provisioned limits
  GetProvisionedLimit:                   { kind: 'read',    route: 'regional', replica: 'P' },
  UpdateProvisionedLimit:                { kind: 'write',   route: 'regional', replica: 'P' },
} as const satisfies Record<string, OperationRow>

export type OperationName = keyof typeof OPERATIONS

/** The row of an operation; `UNKNOWN_OPERATION` if there is none. */
export function rowOf(operation: string): OperationRow {
  return Object.hasOwn(OPERATIONS, operation) ? OPERATIONS[operation as OperationName] : UNKNOWN_OPERATION
}

export type Plan = {
  readonly operation: string
  readonly kind: Kind
  readonly route: Route
  /** Session or SECRET_BLOCK of an earlier response, which ties the request to the region that issued it. */
  readonly challenge?: string
}

const REFRESH_FLOWS = new Set(['REFRESH_TOKEN_AUTH', 'REFRESH_TOKEN'])

/** Challenges whose response changes the directory, which only the primary may do. */
const WRITING_CHALLENGES = new Set(['NEW_PASSWORD_REQUIRED', 'MFA_SETUP'])

/**
 * Returns the row of the operation, refined by the input: InitiateAuth with a refresh flow is of kind `refresh`, and
 * a challenge response that sets a password is a write.
 */
export function planOf(
  { operation, input }: { operation: string; input: object },
  { portable }: { portable: boolean },
): Plan {
  const { kind, route } = rowOf(operation)
  const members = input as { AuthFlow?: unknown; ChallengeName?: unknown }
  const challenge = challengeOf(input)
  if (kind === 'signIn' && REFRESH_FLOWS.has(String(members.AuthFlow))) {
    return { operation, kind: 'refresh', route }
  }
  if (kind === 'answer' && WRITING_CHALLENGES.has(String(members.ChallengeName))) {
    return { operation, kind: 'write', route: portable ? 'primary' : 'asker', challenge }
  }
  // InitiateAuth with the Session of ConfirmSignUp goes to the region that issued that Session.
  return { operation, kind, route: route === 'any' && challenge !== undefined ? 'asker' : route, challenge }
}

function challengeOf(input: object): string | undefined {
  const { Session, ChallengeResponses } = input as {
    Session?: unknown
    ChallengeResponses?: { PASSWORD_CLAIM_SECRET_BLOCK?: unknown }
  }
  if (typeof Session === 'string') return Session
  const block = ChallengeResponses?.PASSWORD_CLAIM_SECRET_BLOCK
  return typeof block === 'string' ? block : undefined
}
