/** A `POST /` whose body has been read, whatever carried it. */
export interface IncomingCall {
  headers: Pick<Headers, 'get'>
  body: Buffer
  /** As it was sent, without the question mark. */
  query: string
  /** Address of the caller, as far as the region can tell. */
  address: string
}

/** The response to a call; the headers are complete but for the length. */
export interface OutgoingAnswer {
  status: number
  headers: Record<string, string>
  body: string
}

/** Responds to calls, and to what cannot even be read as one. */
export interface CallHandler {
  /** Never throws. */
  answer(call: IncomingCall): Promise<OutgoingAnswer>
  /** The response that carries an error. */
  refuse(error: { code: string; message: string; status: number }): OutgoingAnswer
  /** Reports an error that nothing should have thrown to the operator; the caller learns nothing of it. */
  fail(failure: { operation: string; error: unknown }): OutgoingAnswer
}

/** The largest body that any operation of the API takes (branding assets) is well below this. */
export const BODY_BYTES = 4 * 1024 * 1024
