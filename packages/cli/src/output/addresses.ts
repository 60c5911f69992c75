import { type StackStatus, withoutPassword } from '@sluice/stack'
import { alignColumns } from './table.ts'
import type { Terminal } from '../terminal.ts'

/** The addresses for people: without their passwords. */
export function printAddresses(status: StackStatus, terminal: Terminal): void {
  const rows: string[][] = []
  if (status.kafka) rows.push(['Kafka', status.kafka.bootstrapServers])
  if (status.postgres) rows.push(['PostgreSQL', withoutPassword(status.postgres.url)])
  if (status.redis) rows.push(['Redis', withoutPassword(status.redis.url)])
  if (status.console) rows.push(['Console', status.console.url])
  terminal.lines(alignColumns(rows))
  const security = status.kafka?.security
  if (!security) return
  const { protocol, mechanism, username, caFile } = security
  terminal.line(`Kafka wants ${protocol}, ${mechanism}, user ${username}, CA file ${caFile}`)
  terminal.line('eval "$(sluice status --env)" sets that and the password for clients')
}
