/** Claims of an access token that a user got. https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-access-token.html */
export interface AccessTokenClaims {
  sub: string
  iss: string
  client_id: string
  token_use: 'access'
  scope: string
  auth_time: number
  iat: number
  exp: number
  jti: string
  username: string
  origin_jti?: string
  event_id?: string
  device_key?: string
  version?: number
  'cognito:groups'?: string[]
}
