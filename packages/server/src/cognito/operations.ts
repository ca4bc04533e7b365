import { account, client, feedback, type OperationRow, pool, session, token } from './rows.ts'
import type { OperationName } from './shapes.generated.ts'

/**
 * THE TABLE: every operation of the API, who may call it, what a secondary region lets it do (I, A or P: see gate.ts), what
 * it changes, and the handler. A row without a handler answers NotImplementedException.
 * Source: the service model, and the operation lists of
 * https://docs.aws.amazon.com/cognito/latest/developerguide/user-pool-multi-region-replication.html
 */
// biome-ignore format: a table
export const operations = {
  // Pools
  CreateUserPool:                         account('P', 'config'),
  DescribeUserPool:                       pool('I', 'none'),
  UpdateUserPool:                         pool('I', 'config'),
  DeleteUserPool:                         pool('P', 'config'),
  ListUserPools:                          account('I', 'none'),
  AddCustomAttributes:                    pool('P', 'config'),
  GetUserPoolMfaConfig:                   pool('I', 'none'),
  SetUserPoolMfaConfig:                   pool('I', 'config'),
  GetSigningCertificate:                  pool('I', 'none'),
  GetCSVHeader:                           pool('P', 'none'),

  // Clients and secrets
  CreateUserPoolClient:                   pool('P', 'config'),
  DescribeUserPoolClient:                 pool('I', 'none'),
  UpdateUserPoolClient:                   pool('P', 'config'),
  DeleteUserPoolClient:                   pool('P', 'config'),
  ListUserPoolClients:                    pool('I', 'none'),
  AddUserPoolClientSecret:                pool('P', 'config'),
  DeleteUserPoolClientSecret:             pool('P', 'config'),
  ListUserPoolClientSecrets:              pool('I', 'none'),

  // Domains
  CreateUserPoolDomain:                   pool('I', 'config'),
  DescribeUserPoolDomain:                 account('I', 'none'),
  UpdateUserPoolDomain:                   pool('I', 'config'),
  DeleteUserPoolDomain:                   pool('I', 'config'),

  // User administration
  AdminCreateUser:                        pool('P', 'write'),
  AdminGetUser:                           pool('I', 'none'),
  ListUsers:                              pool('I', 'none'),
  AdminUpdateUserAttributes:              pool('P', 'write'),
  AdminDeleteUserAttributes:              pool('P', 'write'),
  AdminDeleteUser:                        pool('P', 'write'),
  AdminEnableUser:                        pool('P', 'write'),
  AdminDisableUser:                       pool('P', 'write'),
  AdminConfirmSignUp:                     pool('P', 'write'),
  AdminResetUserPassword:                 pool('P', 'write'),
  AdminSetUserPassword:                   pool('P', 'write'),
  AdminSetUserSettings:                   pool('P', 'write'),
  AdminLinkProviderForUser:               pool('P', 'write'),
  AdminDisableProviderForUser:            pool('P', 'write'),
  AdminUserGlobalSignOut:                 pool('A', 'tokens'),
  AdminListUserAuthEvents:                pool('I', 'none'),
  AdminUpdateAuthEventFeedback:           pool('A', 'none'),

  // User self-service
  SignUp:                                 client('P', 'write'),
  ConfirmSignUp:                          client('P', 'write'),
  ResendConfirmationCode:                 client('P', 'write'),
  ForgotPassword:                         client('P', 'write'),
  ConfirmForgotPassword:                  client('P', 'write'),
  ChangePassword:                         token('P', 'write'),
  GetUser:                                token('A', 'none'),
  UpdateUserAttributes:                   token('P', 'write'),
  DeleteUserAttributes:                   token('P', 'write'),
  GetUserAttributeVerificationCode:       token('P', 'write'),
  VerifyUserAttribute:                    token('P', 'write'),
  DeleteUser:                             token('P', 'write'),
  SetUserSettings:                        token('P', 'write'),
  UpdateAuthEventFeedback:                feedback('A', 'config'),

  // Authentication and tokens
  InitiateAuth:                           client('A', 'tokens'),
  RespondToAuthChallenge:                 client('A', 'tokens'),
  AdminInitiateAuth:                      pool('A', 'tokens'),
  AdminRespondToAuthChallenge:            pool('A', 'none'),
  GetTokensFromRefreshToken:              client('A', 'tokens'),
  GetClientToken:                         client('P', 'none'),
  RevokeToken:                            client('A', 'tokens'),
  GlobalSignOut:                          token('A', 'tokens'),

  // MFA, devices, passkeys
  AssociateSoftwareToken:                 session('P', 'write'),
  VerifySoftwareToken:                    session('P', 'write'),
  AdminDeleteSoftwareToken:               pool('P', 'write'),
  SetUserMFAPreference:                   token('P', 'write'),
  AdminSetUserMFAPreference:              pool('P', 'write'),
  GetUserAuthFactors:                     token('A', 'none'),
  AdminGetUserAuthFactors:                pool('P', 'none'),
  ConfirmDevice:                          token('P', 'write'),
  GetDevice:                              token('A', 'none'),
  ListDevices:                            token('A', 'none'),
  UpdateDeviceStatus:                     token('P', 'write'),
  ForgetDevice:                           token('P', 'write'),
  AdminGetDevice:                         pool('I', 'none'),
  AdminListDevices:                       pool('I', 'none'),
  AdminUpdateDeviceStatus:                pool('P', 'write'),
  AdminForgetDevice:                      pool('P', 'write'),
  StartWebAuthnRegistration:              token('P', 'write'),
  CompleteWebAuthnRegistration:           token('P', 'write'),
  ListWebAuthnCredentials:                token('A', 'none'),
  DeleteWebAuthnCredential:               token('P', 'write'),

  // Groups
  CreateGroup:                            pool('P', 'write'),
  GetGroup:                               pool('I', 'none'),
  UpdateGroup:                            pool('P', 'write'),
  DeleteGroup:                            pool('P', 'write'),
  ListGroups:                             pool('I', 'none'),
  ListUsersInGroup:                       pool('I', 'none'),
  AdminAddUserToGroup:                    pool('P', 'write'),
  AdminRemoveUserFromGroup:               pool('P', 'write'),
  AdminListGroupsForUser:                 pool('I', 'none'),

  // Resource servers
  CreateResourceServer:                   pool('P', 'config'),
  DescribeResourceServer:                 pool('I', 'none'),
  UpdateResourceServer:                   pool('P', 'config'),
  DeleteResourceServer:                   pool('P', 'config'),
  ListResourceServers:                    pool('I', 'none'),

  // Identity providers
  CreateIdentityProvider:                 pool('P', 'config'),
  DescribeIdentityProvider:               pool('I', 'none'),
  GetIdentityProviderByIdentifier:        pool('A', 'none'),
  UpdateIdentityProvider:                 pool('P', 'config'),
  DeleteIdentityProvider:                 pool('P', 'config'),
  ListIdentityProviders:                  pool('I', 'none'),

  // Branding, terms, classic UI
  CreateManagedLoginBranding:             pool('P', 'config'),
  DescribeManagedLoginBranding:           pool('I', 'none'),
  DescribeManagedLoginBrandingByClient:   pool('I', 'none'),
  UpdateManagedLoginBranding:             pool('P', 'config'),
  DeleteManagedLoginBranding:             pool('P', 'config'),
  CreateTerms:                            pool('P', 'config'),
  DescribeTerms:                          pool('I', 'none'),
  DescribeTermsByClient:                  pool('P', 'none'),
  UpdateTerms:                            pool('P', 'config'),
  DeleteTerms:                            pool('P', 'config'),
  ListTerms:                              pool('I', 'none'),
  GetUICustomization:                     pool('I', 'none'),
  SetUICustomization:                     pool('P', 'config'),

  // Import jobs
  CreateUserImportJob:                    pool('P', 'config'),
  DescribeUserImportJob:                  pool('P', 'none'),
  ListUserImportJobs:                     pool('P', 'none'),
  StartUserImportJob:                     pool('P', 'write'),
  StopUserImportJob:                      pool('P', 'config'),

  // Risk and log configuration
  DescribeRiskConfiguration:              pool('I', 'none'),
  SetRiskConfiguration:                   pool('I', 'config'),
  GetLogDeliveryConfiguration:            pool('I', 'none'),
  SetLogDeliveryConfiguration:            pool('I', 'config'),

  // Tags
  TagResource:                            account('I', 'config'),
  UntagResource:                          account('I', 'config'),
  ListTagsForResource:                    account('I', 'none'),

  // Replicas
  CreateUserPoolReplica:                  pool('P', 'config'),
  ListUserPoolReplicas:                   pool('I', 'none'),
  UpdateUserPoolReplica:                  pool('I', 'config'),
  DeleteUserPoolReplica:                  pool('I', 'config'),

  // Sessions
  SetUserPoolSessionConfiguration:        pool('P', 'config'),
  GetUserPoolSessionConfiguration:        pool('P', 'none'),
  SetUserPoolClientSessionConfiguration:  pool('P', 'config'),
  GetUserPoolClientSessionConfiguration:  pool('P', 'none'),
  ListUserSessions:                       token('P', 'none'),
  RevokeUserSession:                      token('P', 'tokens'),
  AdminListUserSessions:                  pool('P', 'none'),
  AdminRevokeUserSession:                 pool('P', 'tokens'),

  // Provisioned limits
  GetProvisionedLimit:                    account('P', 'none'),
  UpdateProvisionedLimit:                 account('P', 'config'),
} as const satisfies Record<OperationName, OperationRow>
