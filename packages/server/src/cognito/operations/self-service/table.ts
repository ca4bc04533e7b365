import type { AttributeType } from '@aws-sdk/client-cognito-identity-provider'
import type { Pool } from '../../../directory/pool.ts'
import { VERIFIABLE } from '../../../identity/users/attributes.ts'
import type { OperationRow } from '../../rows.ts'
import { CODE, client, feedback, MESSAGE, PASSWORD, token } from '../../rows.ts'
import { ChangePassword } from './ChangePassword.ts'
import { ConfirmForgotPassword } from './ConfirmForgotPassword.ts'
import { ConfirmSignUp } from './ConfirmSignUp.ts'
import { DeleteUser } from './DeleteUser.ts'
import { DeleteUserAttributes } from './DeleteUserAttributes.ts'
import { ForgotPassword } from './ForgotPassword.ts'
import { GetUser } from './GetUser.ts'
import { GetUserAttributeVerificationCode } from './GetUserAttributeVerificationCode.ts'
import { ResendConfirmationCode } from './ResendConfirmationCode.ts'
import { SignUp } from './SignUp.ts'
import { UpdateUserAttributes } from './UpdateUserAttributes.ts'
import { VerifyUserAttribute } from './VerifyUserAttribute.ts'

const verifiesNewUsers = (_input: object, { document }: Pool): boolean =>
  (document.AutoVerifiedAttributes?.length ?? 0) > 0

const changesAddress = ({ UserAttributes }: { UserAttributes: readonly AttributeType[] }): boolean =>
  UserAttributes.some(({ Name }) => VERIFIABLE.some((address) => address === Name))

// biome-ignore format: a table
export const selfServiceOperations = {
  SignUp:                           client('P', SignUp, { ...PASSWORD, sendsMessage: verifiesNewUsers }),
  ConfirmSignUp:                    client('P', ConfirmSignUp, CODE),
  ResendConfirmationCode:           client('P', ResendConfirmationCode, MESSAGE),
  ForgotPassword:                   client('P', ForgotPassword, MESSAGE),
  ConfirmForgotPassword:            client('P', ConfirmForgotPassword, { ...PASSWORD, ...CODE }),
  ChangePassword:                   token('P', ChangePassword, PASSWORD),
  GetUser:                          token('A', GetUser),
  UpdateUserAttributes:             token('P', UpdateUserAttributes, { sendsMessage: changesAddress }),
  DeleteUserAttributes:             token('P', DeleteUserAttributes),
  GetUserAttributeVerificationCode: token('P', GetUserAttributeVerificationCode, MESSAGE),
  VerifyUserAttribute:              token('P', VerifyUserAttribute, CODE),
  DeleteUser:                       token('P', DeleteUser),
  SetUserSettings:                  token('P'),
  UpdateAuthEventFeedback:          feedback('A'),
} as const satisfies Record<string, OperationRow>
