import { BODY_BYTES } from './call.ts'

/** Reads the body of a request, at most BODY_BYTES. */
export async function readBody(request: Request): Promise<Buffer | 'too-large' | 'ended-early'> {
  if (Number(request.headers.get('content-length') ?? 0) > BODY_BYTES) return 'too-large'
  if (!request.body) return Buffer.alloc(0)
  const chunks: Uint8Array[] = []
  let size = 0
  try {
    for await (const chunk of request.body) {
      size += chunk.length
      if (size > BODY_BYTES) return 'too-large'
      chunks.push(chunk)
    }
  } catch {
    return 'ended-early'
  }
  return Buffer.concat(chunks)
}
