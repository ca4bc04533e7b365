import { createHash, createHmac } from 'node:crypto'
import type { Exchange } from './load.ts'

export const credentials = { accessKeyId: 'AKIATWINPOOLBENCH000', secretAccessKey: 'a-secret-for-benchmarks-alone-01' }
export const REGION = 'us-west-2'

/** An unsigned call of the user pools API. */
export function callOf(operation: string, input: object): Exchange {
  return {
    headers: {
      'content-type': 'application/x-amz-json-1.1',
      'x-amz-target': `AWSCognitoIdentityProviderService.${operation}`,
    },
    body: JSON.stringify(input),
  }
}

/**
 * A call that is signed for an endpoint; valid for five minutes.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 */
export function signedCallOf(endpoint: string, operation: string, input: object, region = REGION): Exchange {
  const { headers, body } = callOf(operation, input)
  const time = new Date().toISOString().replace(/[-:]|\.\d+/g, '')
  const date = time.slice(0, 8)
  const all: Record<string, string> = { ...headers, host: new URL(endpoint).host, 'x-amz-date': time }
  const names = Object.keys(all).sort()
  const canonical = [
    'POST',
    '/',
    '',
    ...names.map((name) => `${name}:${all[name]}`),
    '',
    names.join(';'),
    sha256(body),
  ].join('\n')
  const scope = `${date}/${region}/cognito-idp/aws4_request`
  const key = [date, region, 'cognito-idp', 'aws4_request'].reduce<Buffer>(
    hmac,
    Buffer.from(`AWS4${credentials.secretAccessKey}`),
  )
  const signature = hmac(key, ['AWS4-HMAC-SHA256', time, scope, sha256(canonical)].join('\n')).toString('hex')
  return {
    headers: {
      ...headers,
      'x-amz-date': time,
      authorization: `AWS4-HMAC-SHA256 Credential=${credentials.accessKeyId}/${scope}, SignedHeaders=${names.join(';')}, Signature=${signature}`,
    },
    body,
  }
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')
const hmac = (key: Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest()
