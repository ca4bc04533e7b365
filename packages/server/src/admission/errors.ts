import { CognitoError } from '../errors.ts'
import { KeyUnavailableError } from '../keys/provider.ts'
import { CodeDeliveryFailedError } from '../messages/messenger.ts'
import { StoreBusyError, StoreFullError } from '../store/database.ts'
import { BudgetFullError } from '../store/throttling.ts'
import { NotPrimaryError } from '../store/write.ts'
import { operationNotEnabled } from './gate.ts'

/** Converts any thrown value to an error of the user pools API. */
export function asCognitoError(error: unknown): CognitoError {
  if (error instanceof CognitoError) return error
  if (error instanceof NotPrimaryError) return operationNotEnabled()
  if (error instanceof CodeDeliveryFailedError)
    return new CognitoError('CodeDeliveryFailureException', 'The code could not be delivered.', { cause: error })
  if (error instanceof KeyUnavailableError)
    return new CognitoError('InternalErrorException', 'The KMS key of the user pool cannot be used.', { cause: error })
  if (error instanceof StoreBusyError || error instanceof BudgetFullError)
    return new CognitoError('TooManyRequestsException', 'Rate exceeded', { cause: error })
  if (error instanceof StoreFullError)
    return new CognitoError('InternalErrorException', 'The storage of this region is full.', { cause: error })
  return new CognitoError('InternalErrorException', 'An internal error occurred.', { cause: error })
}
