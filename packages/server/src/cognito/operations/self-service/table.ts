import type { OperationRow } from '../../rows.ts'
import { client, feedback, PASSWORD, token } from '../../rows.ts'
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

// biome-ignore format: a table
export const selfServiceOperations = {
  SignUp:                           client('P', SignUp, PASSWORD),
  ConfirmSignUp:                    client('P', ConfirmSignUp),
  ResendConfirmationCode:           client('P', ResendConfirmationCode),
  ForgotPassword:                   client('P', ForgotPassword),
  ConfirmForgotPassword:            client('P', ConfirmForgotPassword, PASSWORD),
  ChangePassword:                   token('P', ChangePassword, PASSWORD),
  GetUser:                          token('A', GetUser),
  UpdateUserAttributes:             token('P', UpdateUserAttributes),
  DeleteUserAttributes:             token('P', DeleteUserAttributes),
  GetUserAttributeVerificationCode: token('P', GetUserAttributeVerificationCode),
  VerifyUserAttribute:              token('P', VerifyUserAttribute),
  DeleteUser:                       token('P', DeleteUser),
  SetUserSettings:                  token('P'),
  UpdateAuthEventFeedback:          feedback('A'),
} as const satisfies Record<string, OperationRow>
