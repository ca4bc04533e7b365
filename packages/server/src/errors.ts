/**
 * The errors of the Cognito API, and the HTTP status of each.
 * Source: the service model of `cognito-idp`; the last group contains the errors of the AWS JSON 1.1 front end itself.
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

/** An error of an AWS API: `code` is its `__type`, `status` the HTTP status. The message goes to the caller. */
export class AwsError extends Error {
  readonly code: string
  readonly status: number

  constructor(code: string, { message, status, cause }: { message: string; status: number; cause?: unknown }) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = code
    this.code = code
    this.status = status
  }
}

/** An error of the Cognito API. */
export class CognitoError extends AwsError {
  declare readonly code: CognitoErrorCode

  constructor(code: CognitoErrorCode, message = '', { cause }: { cause?: unknown } = {}) {
    super(code, { message, status: STATUS[code], cause })
  }
}

export const invalidParameter = (message: string): CognitoError =>
  new CognitoError('InvalidParameterException', message)

export const notAuthorized = (message: string): CognitoError => new CognitoError('NotAuthorizedException', message)
