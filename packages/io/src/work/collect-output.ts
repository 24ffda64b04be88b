/**
 * Keeps the first `maxBytes` of a stream and calls `onFull` once when there is more. The rest is read and dropped,
 * so that a killed writer can go away.
 */
export function collectOutput(
  stream: NodeJS.ReadableStream,
  maxBytes: number,
  onFull: () => void,
): () => string {
  const chunks: Buffer[] = []
  let bytes = 0
  stream.on('data', (chunk: Buffer) => {
    if (bytes > maxBytes) return
    const room = maxBytes - bytes
    bytes += chunk.length
    chunks.push(chunk.subarray(0, room))
    if (bytes > maxBytes) onFull()
  })
  return () => Buffer.concat(chunks).toString('utf8')
}
