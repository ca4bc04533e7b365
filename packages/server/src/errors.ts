/**
 * The errors of the Cognito API, and the HTTP status that each has on the wire.
 * Source: the service model of `cognito-idp`; the last group is what the AWS JSON 1.1 front end answers itself.
 */
const STATUS = {
  AliasExistsException: 400,
  CodeDeliveryFailureException: 400,
  CodeMismatchException: 400,
  ConcurrentModificationException: 400,
  DeviceKeyExistsException: 400,
  DuplicateProviderException: 400,
  EnableSoftwareTokenMFAException: 400,
  ExpiredCodeException: 400,
  FeatureUnavailableInTierException: 400,
  ForbiddenException: 400,
  GroupExistsException: 400,
  InternalErrorException: 500,
  InvalidEmailRoleAccessPolicyException: 400,
  InvalidLambdaResponseException: 400,
  InvalidOAuthFlowException: 400,
  InvalidParameterException: 400,
  InvalidPasswordException: 400,
  InvalidSmsRoleAccessPolicyException: 400,
  InvalidSmsRoleTrustRelationshipException: 400,
  InvalidUserPoolConfigurationException: 400,
  LimitExceededException: 400,
  ManagedLoginBrandingExistsException: 400,
  MFAMethodNotFoundException: 400,
  NotAuthorizedException: 400,
  OperationNotEnabledException: 400,
  PasswordHistoryPolicyViolationException: 400,
  PasswordResetRequiredException: 400,
  PreconditionNotMetException: 400,
  RefreshTokenReuseException: 400,
  ResourceNotFoundException: 400,
  ScopeDoesNotExistException: 400,
  SoftwareTokenMFANotFoundException: 400,
  TermsExistsException: 400,
  TierChangeNotAllowedException: 400,
  TooManyFailedAttemptsException: 400,
  TooManyRequestsException: 400,
  UnauthorizedException: 400,
  UnexpectedLambdaException: 400,
  UnsupportedIdentityProviderException: 400,
  UnsupportedOperationException: 400,
  UnsupportedTokenTypeException: 400,
  UnsupportedUserStateException: 400,
  UserImportInProgressException: 400,
  UserLambdaValidationException: 400,
  UsernameExistsException: 400,
  UserNotConfirmedException: 400,
  UserNotFoundException: 400,
  UserPoolAddOnNotEnabledException: 400,
  UserPoolTaggingException: 400,
  WebAuthnNotEnabledException: 400,

  AccessDeniedException: 400,
  IncompleteSignatureException: 400,
  InvalidSignatureException: 400,
  MissingAuthenticationTokenException: 400,
  NotImplementedException: 501,
  RequestEntityTooLargeException: 413,
  SerializationException: 400,
  UnknownOperationException: 400,
  UnrecognizedClientException: 400,
} as const

export type CognitoErrorCode = keyof typeof STATUS

/**
 * A refusal in the API's own terms. `message` goes to the caller; `detail` goes to the operator's log only.
 */
export class CognitoError extends Error {
  readonly code: CognitoErrorCode
  readonly status: number
  readonly detail: string | undefined

  constructor(code: CognitoErrorCode, message = '', options: { detail?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = code
    this.code = code
    this.status = STATUS[code]
    this.detail = options.detail
  }
}
