import { fileURLToPath } from 'node:url'
import type { Stack } from '@sluice/stack'
import { Child, fromSource } from './child.ts'

export type Program = 'seeder' | 'cache-worker' | 'generator' | 'consumer'

/** What a program of the service is told about the servers of a stack. */
export function serversOf(stack: Stack): Record<string, string> {
  return {
    KAFKA_BOOTSTRAP_SERVERS: stack.kafka.bootstrapServers,
    DATABASE_URL: stack.postgres.url,
    REDIS_URL: stack.redis.url,
  }
}

/** A program of the commerce service, run from source. */
export function startProgram(name: Program, env: Record<string, string | undefined>, args: string[] = []): Child {
  const file = fileURLToPath(new URL(`../../../services/commerce/src/${name}.main.ts`, import.meta.url))
  return new Child(...fromSource(file, args), { env })
}

interface LogLine {
  readonly msg?: string
  readonly url?: string
}

/** Where a running program serves its probes and metrics. */
export async function urlOf(program: Child): Promise<string> {
  const line = await program.line((text) => parse(text)?.msg === 'running')
  return parse(line)!.url!
}

/** The lines of a program's log with this message. */
export function logged<T>(program: Child, message: string): (LogLine & T)[] {
  return program.lines.flatMap((text) => {
    const line = parse(text)
    return line?.msg === message ? [line as LogLine & T] : []
  })
}

function parse(text: string): LogLine | undefined {
  return text.startsWith('{') ? (JSON.parse(text) as LogLine) : undefined
}
