import { AdminInitiateAuth } from './operations/auth/AdminInitiateAuth.ts'
import { AdminRespondToAuthChallenge } from './operations/auth/AdminRespondToAuthChallenge.ts'
import { AdminUserGlobalSignOut } from './operations/auth/AdminUserGlobalSignOut.ts'
import { GetTokensFromRefreshToken } from './operations/auth/GetTokensFromRefreshToken.ts'
import { GlobalSignOut } from './operations/auth/GlobalSignOut.ts'
import { InitiateAuth } from './operations/auth/InitiateAuth.ts'
import { RespondToAuthChallenge } from './operations/auth/RespondToAuthChallenge.ts'
import { RevokeToken } from './operations/auth/RevokeToken.ts'
import { CreateUserPoolClient } from './operations/clients/CreateUserPoolClient.ts'
import { DeleteUserPoolClient } from './operations/clients/DeleteUserPoolClient.ts'
import { DescribeUserPoolClient } from './operations/clients/DescribeUserPoolClient.ts'
import { ListUserPoolClients } from './operations/clients/ListUserPoolClients.ts'
import { UpdateUserPoolClient } from './operations/clients/UpdateUserPoolClient.ts'
import { CreateUserPoolDomain } from './operations/domains/CreateUserPoolDomain.ts'
import { DeleteUserPoolDomain } from './operations/domains/DeleteUserPoolDomain.ts'
import { DescribeUserPoolDomain } from './operations/domains/DescribeUserPoolDomain.ts'
import { UpdateUserPoolDomain } from './operations/domains/UpdateUserPoolDomain.ts'
import { AdminAddUserToGroup } from './operations/groups/AdminAddUserToGroup.ts'
import { AdminListGroupsForUser } from './operations/groups/AdminListGroupsForUser.ts'
import { AdminRemoveUserFromGroup } from './operations/groups/AdminRemoveUserFromGroup.ts'
import { CreateGroup } from './operations/groups/CreateGroup.ts'
import { DeleteGroup } from './operations/groups/DeleteGroup.ts'
import { GetGroup } from './operations/groups/GetGroup.ts'
import { ListGroups } from './operations/groups/ListGroups.ts'
import { ListUsersInGroup } from './operations/groups/ListUsersInGroup.ts'
import { UpdateGroup } from './operations/groups/UpdateGroup.ts'
import { AddCustomAttributes } from './operations/pools/AddCustomAttributes.ts'
import { CreateUserPool } from './operations/pools/CreateUserPool.ts'
import { DeleteUserPool } from './operations/pools/DeleteUserPool.ts'
import { DescribeUserPool } from './operations/pools/DescribeUserPool.ts'
import { GetUserPoolMfaConfig } from './operations/pools/GetUserPoolMfaConfig.ts'
import { ListUserPools } from './operations/pools/ListUserPools.ts'
import { SetUserPoolMfaConfig } from './operations/pools/SetUserPoolMfaConfig.ts'
import { UpdateUserPool } from './operations/pools/UpdateUserPool.ts'
import { CreateUserPoolReplica } from './operations/replicas/CreateUserPoolReplica.ts'
import { DeleteUserPoolReplica } from './operations/replicas/DeleteUserPoolReplica.ts'
import { ListUserPoolReplicas } from './operations/replicas/ListUserPoolReplicas.ts'
import { UpdateUserPoolReplica } from './operations/replicas/UpdateUserPoolReplica.ts'
import { ChangePassword } from './operations/self-service/ChangePassword.ts'
import { ConfirmForgotPassword } from './operations/self-service/ConfirmForgotPassword.ts'
import { DeleteUser } from './operations/self-service/DeleteUser.ts'
import { DeleteUserAttributes } from './operations/self-service/DeleteUserAttributes.ts'
import { ForgotPassword } from './operations/self-service/ForgotPassword.ts'
import { GetUser } from './operations/self-service/GetUser.ts'
import { GetUserAttributeVerificationCode } from './operations/self-service/GetUserAttributeVerificationCode.ts'
import { UpdateUserAttributes } from './operations/self-service/UpdateUserAttributes.ts'
import { VerifyUserAttribute } from './operations/self-service/VerifyUserAttribute.ts'
import { ConfirmSignUp } from './operations/sign-up/ConfirmSignUp.ts'
import { ResendConfirmationCode } from './operations/sign-up/ResendConfirmationCode.ts'
import { SignUp } from './operations/sign-up/SignUp.ts'
import { ListTagsForResource } from './operations/tags/ListTagsForResource.ts'
import { TagResource } from './operations/tags/TagResource.ts'
import { UntagResource } from './operations/tags/UntagResource.ts'
import { AdminConfirmSignUp } from './operations/users/AdminConfirmSignUp.ts'
import { AdminCreateUser } from './operations/users/AdminCreateUser.ts'
import { AdminDeleteUser } from './operations/users/AdminDeleteUser.ts'
import { AdminDeleteUserAttributes } from './operations/users/AdminDeleteUserAttributes.ts'
import { AdminDisableUser } from './operations/users/AdminDisableUser.ts'
import { AdminEnableUser } from './operations/users/AdminEnableUser.ts'
import { AdminGetUser } from './operations/users/AdminGetUser.ts'
import { AdminResetUserPassword } from './operations/users/AdminResetUserPassword.ts'
import { AdminSetUserPassword } from './operations/users/AdminSetUserPassword.ts'
import { AdminUpdateUserAttributes } from './operations/users/AdminUpdateUserAttributes.ts'
import { ListUsers } from './operations/users/ListUsers.ts'
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
  CreateUserPool:                         account('P', 'config', CreateUserPool),
  DescribeUserPool:                       pool('I', 'none', DescribeUserPool),
  UpdateUserPool:                         pool('I', 'config', UpdateUserPool),
  DeleteUserPool:                         pool('P', 'config', DeleteUserPool),
  ListUserPools:                          account('I', 'none', ListUserPools),
  AddCustomAttributes:                    pool('P', 'config', AddCustomAttributes),
  GetUserPoolMfaConfig:                   pool('I', 'none', GetUserPoolMfaConfig),
  SetUserPoolMfaConfig:                   pool('I', 'config', SetUserPoolMfaConfig),
  GetSigningCertificate:                  pool('I', 'none'),
  GetCSVHeader:                           pool('P', 'none'),

  // Clients and secrets
  CreateUserPoolClient:                   pool('P', 'config', CreateUserPoolClient),
  DescribeUserPoolClient:                 pool('I', 'none', DescribeUserPoolClient),
  UpdateUserPoolClient:                   pool('P', 'config', UpdateUserPoolClient),
  DeleteUserPoolClient:                   pool('P', 'config', DeleteUserPoolClient),
  ListUserPoolClients:                    pool('I', 'none', ListUserPoolClients),
  AddUserPoolClientSecret:                pool('P', 'config'),
  DeleteUserPoolClientSecret:             pool('P', 'config'),
  ListUserPoolClientSecrets:              pool('I', 'none'),

  // Domains
  CreateUserPoolDomain:                   pool('I', 'config', CreateUserPoolDomain),
  DescribeUserPoolDomain:                 account('I', 'none', DescribeUserPoolDomain),
  UpdateUserPoolDomain:                   pool('I', 'config', UpdateUserPoolDomain),
  DeleteUserPoolDomain:                   pool('I', 'config', DeleteUserPoolDomain),

  // User administration
  AdminCreateUser:                        pool('P', 'write', AdminCreateUser),
  AdminGetUser:                           pool('I', 'none', AdminGetUser),
  ListUsers:                              pool('I', 'none', ListUsers),
  AdminUpdateUserAttributes:              pool('P', 'write', AdminUpdateUserAttributes),
  AdminDeleteUserAttributes:              pool('P', 'write', AdminDeleteUserAttributes),
  AdminDeleteUser:                        pool('P', 'write', AdminDeleteUser),
  AdminEnableUser:                        pool('P', 'write', AdminEnableUser),
  AdminDisableUser:                       pool('P', 'write', AdminDisableUser),
  AdminConfirmSignUp:                     pool('P', 'write', AdminConfirmSignUp),
  AdminResetUserPassword:                 pool('P', 'write', AdminResetUserPassword),
  AdminSetUserPassword:                   pool('P', 'write', AdminSetUserPassword),
  AdminSetUserSettings:                   pool('P', 'write'),
  AdminLinkProviderForUser:               pool('P', 'write'),
  AdminDisableProviderForUser:            pool('P', 'write'),
  AdminUserGlobalSignOut:                 pool('A', 'tokens', AdminUserGlobalSignOut),
  AdminListUserAuthEvents:                pool('I', 'none'),
  AdminUpdateAuthEventFeedback:           pool('A', 'none'),

  // User self-service
  SignUp:                                 client('P', 'write', SignUp),
  ConfirmSignUp:                          client('P', 'write', ConfirmSignUp),
  ResendConfirmationCode:                 client('P', 'write', ResendConfirmationCode),
  ForgotPassword:                         client('P', 'write', ForgotPassword),
  ConfirmForgotPassword:                  client('P', 'write', ConfirmForgotPassword),
  ChangePassword:                         token('P', 'write', ChangePassword),
  GetUser:                                token('A', 'none', GetUser),
  UpdateUserAttributes:                   token('P', 'write', UpdateUserAttributes),
  DeleteUserAttributes:                   token('P', 'write', DeleteUserAttributes),
  GetUserAttributeVerificationCode:       token('P', 'write', GetUserAttributeVerificationCode),
  VerifyUserAttribute:                    token('P', 'write', VerifyUserAttribute),
  DeleteUser:                             token('P', 'write', DeleteUser),
  SetUserSettings:                        token('P', 'write'),
  UpdateAuthEventFeedback:                feedback('A', 'config'),

  // Authentication and tokens
  InitiateAuth:                           client('A', 'tokens', InitiateAuth),
  RespondToAuthChallenge:                 client('A', 'tokens', RespondToAuthChallenge),
  AdminInitiateAuth:                      pool('A', 'tokens', AdminInitiateAuth),
  AdminRespondToAuthChallenge:            pool('A', 'tokens', AdminRespondToAuthChallenge),
  GetTokensFromRefreshToken:              client('A', 'tokens', GetTokensFromRefreshToken),
  GetClientToken:                         client('P', 'none'),
  RevokeToken:                            client('A', 'tokens', RevokeToken),
  GlobalSignOut:                          token('A', 'tokens', GlobalSignOut),

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
  CreateGroup:                            pool('P', 'write', CreateGroup),
  GetGroup:                               pool('I', 'none', GetGroup),
  UpdateGroup:                            pool('P', 'write', UpdateGroup),
  DeleteGroup:                            pool('P', 'write', DeleteGroup),
  ListGroups:                             pool('I', 'none', ListGroups),
  ListUsersInGroup:                       pool('I', 'none', ListUsersInGroup),
  AdminAddUserToGroup:                    pool('P', 'write', AdminAddUserToGroup),
  AdminRemoveUserFromGroup:               pool('P', 'write', AdminRemoveUserFromGroup),
  AdminListGroupsForUser:                 pool('I', 'none', AdminListGroupsForUser),

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
  TagResource:                            account('I', 'config', TagResource),
  UntagResource:                          account('I', 'config', UntagResource),
  ListTagsForResource:                    account('I', 'none', ListTagsForResource),

  // Replicas
  CreateUserPoolReplica:                  pool('P', 'config', CreateUserPoolReplica),
  ListUserPoolReplicas:                   pool('I', 'none', ListUserPoolReplicas),
  UpdateUserPoolReplica:                  pool('I', 'config', UpdateUserPoolReplica),
  DeleteUserPoolReplica:                  pool('I', 'config', DeleteUserPoolReplica),

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
