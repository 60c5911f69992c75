import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { kafkaTool } from '../../system/support/java.ts'

/** A record as it lies in the files of a broker, whatever became of its transaction. */
export interface DumpedRow {
  /** Counted through the topics. */
  readonly partition: number
  readonly offset: number
  /** -1: none. */
  readonly transaction: number
  readonly value: string
}

export interface LogDump {
  /** By partition, in the order of offsets. */
  readonly rows: readonly DumpedRow[]
  /** `unknown`: it is open, or its markers do not agree. */
  readonly transactions: readonly ('committed' | 'aborted' | 'unknown')[]
}

/**
 * What lies in the files of topics, as Kafka's own tool tells it. Since each transaction has an epoch of its own
 * (KIP-890), producer id and epoch tell which records are of one transaction.
 * @param dataDir of the stack, of one broker
 * @param partitions of each topic
 */
export async function dumpLog(dataDir: string, topics: readonly string[], partitions: number): Promise<LogDump> {
  const numbers = new Map<string, number>()
  for (const [index, topic] of topics.entries()) {
    for (let partition = 0; partition < partitions; partition++) {
      const folder = join(dataDir, 'kafka', 'node-1', 'data', `${topic}-${partition}`)
      const segments = readdirSync(folder).filter((file) => file.endsWith('.log'))
      for (const file of segments.toSorted()) numbers.set(join(folder, file), index * partitions + partition)
    }
  }
  const args = ['--print-data-log', '--files', [...numbers.keys()].join()]
  const text = await kafkaTool('org.apache.kafka.tools.DumpLogSegments', args, { timeoutMs: 600_000 })
  const dump = new Dump()
  for (const part of text.split(/^Dumping /m).slice(1)) {
    const lines = part.split('\n')
    dump.read(lines, numbers.get(lines[0]!)!)
  }
  return dump
}

const batchLine = /producerId: (-?\d+) producerEpoch: (-?\d+) .*isTransactional: (\w+)/
const recordLine = /^\| offset: (\d+) .*? payload: (.*)$/
const markerLine = /endTxnMarker: (\w+)/

class Dump implements LogDump {
  readonly rows: DumpedRow[] = []
  readonly transactions: ('committed' | 'aborted' | 'unknown')[] = []
  readonly #numbers = new Map<string, number>()
  readonly #isMarked = new Set<number>()

  read(lines: readonly string[], partition: number): void {
    /** By producer its transaction that is open in this partition. */
    const open = new Map<string, number>()
    let [producer, transaction] = ['-1', -1]
    for (const line of lines) {
      const batch = batchLine.exec(line)
      if (batch !== null) {
        const [, id, epoch, isTransactional] = batch as unknown as [string, string, string, string]
        producer = id
        transaction = isTransactional === 'true' ? this.#number(`${id}/${epoch}`) : -1
        continue
      }
      const marker = markerLine.exec(line)
      if (marker !== null) {
        this.#mark(open.get(producer), marker[1] === 'COMMIT' ? 'committed' : 'aborted')
        open.delete(producer)
        continue
      }
      const record = recordLine.exec(line)
      if (record === null) continue
      if (transaction >= 0) open.set(producer, transaction)
      this.rows.push({ partition, offset: Number(record[1]), transaction, value: record[2]! })
    }
  }

  /** Markers bear an epoch that is one higher already. */
  #number(key: string): number {
    let number = this.#numbers.get(key)
    if (number === undefined) this.#numbers.set(key, (number = this.transactions.push('unknown') - 1))
    return number
  }

  #mark(transaction: number | undefined, outcome: 'committed' | 'aborted'): void {
    if (transaction === undefined) return
    const isFirst = !this.#isMarked.has(transaction)
    this.#isMarked.add(transaction)
    if (isFirst) this.transactions[transaction] = outcome
    else if (this.transactions[transaction] !== outcome) this.transactions[transaction] = 'unknown'
  }
}
