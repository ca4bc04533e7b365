/**
 * How a secondary region responds to each operation, according to the documentation, not to our code:
 * https://docs.aws.amazon.com/cognito/latest/developerguide/user-pool-multi-region-replication.html
 *
 * `always`: while the replica is INACTIVE and while it is ACTIVE. `active`: only while ACTIVE. `never`:
 * OperationNotEnabledException in both. `account`: concerns no pool, so the role of the region does not matter.
 */
export type Right = 'always' | 'active' | 'never' | 'account'

// biome-ignore format: a table
export const gateTable = {
  // Pools
  CreateUserPool:                         'account',
  DescribeUserPool:                       'always',
  UpdateUserPool:                         'always',
  DeleteUserPool:                         'never',
  ListUserPools:                          'always',
  AddCustomAttributes:                    'never',
  GetUserPoolMfaConfig:                   'always',
  SetUserPoolMfaConfig:                   'always',
  GetSigningCertificate:                  'always',
  GetCSVHeader:                           'never',

  // Clients and secrets
  CreateUserPoolClient:                   'never',
  DescribeUserPoolClient:                 'always',
  UpdateUserPoolClient:                   'never',
  DeleteUserPoolClient:                   'never',
  ListUserPoolClients:                    'always',
  AddUserPoolClientSecret:                'never',
  DeleteUserPoolClientSecret:             'never',
  ListUserPoolClientSecrets:              'always',

  // Domains
  CreateUserPoolDomain:                   'always',
  DescribeUserPoolDomain:                 'always',
  UpdateUserPoolDomain:                   'always',
  DeleteUserPoolDomain:                   'always',

  // User administration
  AdminCreateUser:                        'never',
  AdminGetUser:                           'always',
  ListUsers:                              'always',
  AdminUpdateUserAttributes:              'never',
  AdminDeleteUserAttributes:              'never',
  AdminDeleteUser:                        'never',
  AdminEnableUser:                        'never',
  AdminDisableUser:                       'never',
  AdminConfirmSignUp:                     'never',
  AdminResetUserPassword:                 'never',
  AdminSetUserPassword:                   'never',
  AdminSetUserSettings:                   'never',
  AdminLinkProviderForUser:               'never',
  AdminDisableProviderForUser:            'never',
  AdminUserGlobalSignOut:                 'active',
  AdminListUserAuthEvents:                'always',
  AdminUpdateAuthEventFeedback:           'active',

  // User self-service
  SignUp:                                 'never',
  ConfirmSignUp:                          'never',
  ResendConfirmationCode:                 'never',
  ForgotPassword:                         'never',
  ConfirmForgotPassword:                  'never',
  ChangePassword:                         'never',
  GetUser:                                'active',
  UpdateUserAttributes:                   'never',
  DeleteUserAttributes:                   'never',
  GetUserAttributeVerificationCode:       'never',
  VerifyUserAttribute:                    'never',
  DeleteUser:                             'never',
  SetUserSettings:                        'never',
  UpdateAuthEventFeedback:                'active',

  // Authentication and tokens
  InitiateAuth:                           'active',
  RespondToAuthChallenge:                 'active',
  AdminInitiateAuth:                      'active',
  AdminRespondToAuthChallenge:            'active',
  GetTokensFromRefreshToken:              'active',
  GetClientToken:                         'never',
  RevokeToken:                            'active',
  GlobalSignOut:                          'active',

  // MFA, devices, passkeys
  AssociateSoftwareToken:                 'never',
  VerifySoftwareToken:                    'never',
  AdminDeleteSoftwareToken:               'never',
  SetUserMFAPreference:                   'never',
  AdminSetUserMFAPreference:              'never',
  GetUserAuthFactors:                     'active',
  AdminGetUserAuthFactors:                'never',
  ConfirmDevice:                          'never',
  GetDevice:                              'active',
  ListDevices:                            'active',
  UpdateDeviceStatus:                     'never',
  ForgetDevice:                           'never',
  AdminGetDevice:                         'always',
  AdminListDevices:                       'always',
  AdminUpdateDeviceStatus:                'never',
  AdminForgetDevice:                      'never',
  StartWebAuthnRegistration:              'never',
  CompleteWebAuthnRegistration:           'never',
  ListWebAuthnCredentials:                'active',
  DeleteWebAuthnCredential:               'never',

  // Groups
  CreateGroup:                            'never',
  GetGroup:                               'always',
  UpdateGroup:                            'never',
  DeleteGroup:                            'never',
  ListGroups:                             'always',
  ListUsersInGroup:                       'always',
  AdminAddUserToGroup:                    'never',
  AdminRemoveUserFromGroup:               'never',
  AdminListGroupsForUser:                 'always',

  // Resource servers
  CreateResourceServer:                   'never',
  DescribeResourceServer:                 'always',
  UpdateResourceServer:                   'never',
  DeleteResourceServer:                   'never',
  ListResourceServers:                    'always',

  // Identity providers
  CreateIdentityProvider:                 'never',
  DescribeIdentityProvider:               'always',
  GetIdentityProviderByIdentifier:        'active',
  UpdateIdentityProvider:                 'never',
  DeleteIdentityProvider:                 'never',
  ListIdentityProviders:                  'always',

  // Branding, terms, classic UI
  CreateManagedLoginBranding:             'never',
  DescribeManagedLoginBranding:           'always',
  DescribeManagedLoginBrandingByClient:   'always',
  UpdateManagedLoginBranding:             'never',
  DeleteManagedLoginBranding:             'never',
  CreateTerms:                            'never',
  DescribeTerms:                          'always',
  DescribeTermsByClient:                  'never',
  UpdateTerms:                            'never',
  DeleteTerms:                            'never',
  ListTerms:                              'always',
  GetUICustomization:                     'always',
  SetUICustomization:                     'never',

  // Import jobs
  CreateUserImportJob:                    'never',
  DescribeUserImportJob:                  'never',
  ListUserImportJobs:                     'never',
  StartUserImportJob:                     'never',
  StopUserImportJob:                      'never',

  // Risk and log configuration
  DescribeRiskConfiguration:              'always',
  SetRiskConfiguration:                   'always',
  GetLogDeliveryConfiguration:            'always',
  SetLogDeliveryConfiguration:            'always',

  // Tags
  TagResource:                            'always',
  UntagResource:                          'always',
  ListTagsForResource:                    'always',

  // Replicas
  CreateUserPoolReplica:                  'never',
  ListUserPoolReplicas:                   'always',
  UpdateUserPoolReplica:                  'always',
  DeleteUserPoolReplica:                  'always',

  // Sessions
  SetUserPoolSessionConfiguration:        'never',
  GetUserPoolSessionConfiguration:        'never',
  SetUserPoolClientSessionConfiguration:  'never',
  GetUserPoolClientSessionConfiguration:  'never',
  ListUserSessions:                       'never',
  RevokeUserSession:                      'never',
  AdminListUserSessions:                  'never',
  AdminRevokeUserSession:                 'never',

  // Provisioned limits
  GetProvisionedLimit:                    'account',
  UpdateProvisionedLimit:                 'account',
} as const satisfies Record<string, Right>
