/** A `POST /` whose body has been read, independent of the HTTP library that received it. */
export interface IncomingCall {
  headers: Pick<Headers, 'get'>
  body: Buffer
  /** As sent, without the question mark. */
  query: string
  /** Address of the caller, as far as the region knows it. */
  address: string
}

/** The response to a call; the headers are complete except for the content length. */
export interface OutgoingResponse {
  status: number
  headers: Record<string, string>
  body: string
}

/** Responds to calls, and to requests that cannot be read as a call. */
export interface CallHandler {
  /** Maximum bytes of the body of the call with these headers. */
  bodyLimit(headers: IncomingCall['headers']): number
  /** Never throws. */
  handle(call: IncomingCall): Promise<OutgoingResponse>
  /** The response to a call whose body was refused. */
  refuseBody(
    reason: 'too-large' | 'busy' | 'ended-early',
    call: Pick<IncomingCall, 'headers' | 'address'>,
  ): OutgoingResponse
  /** The response that carries an error. */
  refuse(error: { code: string; message: string; status: number }): OutgoingResponse
  /** Reports an unexpected error to the operator; the response to the caller has no detail of it. */
  fail(failure: { operation: string; error: unknown }): OutgoingResponse
}
