import { PassThrough } from 'node:stream'
import type { WriteStream } from 'node:tty'
import { run, Terminal } from '@sluice/cli'

export interface SluiceResult {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** The machine that runs the tests may be busy: slow is not silent. */
const patience = { KAFKA_CONNECT_TIMEOUT_MS: '10000' }

/** Runs a `sluice` command line in this process, on the Kafka that is named: its code and what it wrote. */
export async function sluice(
  bootstrap: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<SluiceResult> {
  const [out, err] = [new PassThrough(), new PassThrough()]
  const texts = [collect(out), collect(err)]
  const terminal = new Terminal(out as unknown as WriteStream, err as unknown as WriteStream)
  const code = await run(args, { ...process.env, ...patience, KAFKA_BOOTSTRAP_SERVERS: bootstrap, ...env }, terminal)
  out.end()
  err.end()
  const [stdout = '', stderr = ''] = await Promise.all(texts)
  return { code, stdout, stderr }
}

async function collect(stream: PassThrough): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}
