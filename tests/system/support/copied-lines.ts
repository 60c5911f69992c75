import { type ConsumerRecord, type Kafka, text, topic } from '@sluice/kafka'

/** A topic whose values are numbers as text. */
export const lines = (name: string) => topic(name, { key: text, value: text })
type Line = ConsumerRecord<string | null, string | null>

/** Writes the numbers from `from` on, in 100 keys. */
export async function fill(kafka: Kafka, name: string, count: number, from = 0): Promise<void> {
  await using producer = await kafka.producer({ addHeaders: false, queue: { maxRecords: count } })
  const records = upTo(count).map((n) => ({ key: `k${(from + n) % 100}`, value: String(from + n) }))
  await Promise.all(records.map((record) => producer.send(lines(name), record)))
}

/** All that a reader of what is committed sees, up to the end there is. */
export async function readAll(kafka: Kafka, name: string): Promise<Line[]> {
  const records: Line[] = []
  await using reader = await kafka.reader({ topics: [lines(name)] })
  for await (const record of reader) records.push(record)
  return records
}

export async function lagOf(kafka: Kafka, group: string, name: string): Promise<number> {
  const lags = await kafka.admin().lag(group, { topics: [name] })
  return lags.filter(({ topic }) => topic === name).reduce((sum, { lag }) => sum + lag, 0)
}

/** Numbers below `count` that are there more than once or not at all, and those that follow a larger one of their key. */
export function faultsOf(records: readonly Line[], count: number) {
  const last = new Map<string | null, number>()
  const disordered = records.filter(({ key, value }) => {
    const isBack = Number(value) < (last.get(key) ?? -1)
    last.set(key, Number(value))
    return isBack
  })
  const seen = new Set(records.map(({ value }) => Number(value)))
  const missing = upTo(count).filter((n) => !seen.has(n))
  return { twice: records.length - seen.size, missing: missing.length, disordered: disordered.length }
}

export const noFaults = { twice: 0, missing: 0, disordered: 0 }
export const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n)
