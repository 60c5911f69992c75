import { setTimeout as sleep } from 'node:timers/promises'
import type {
  Admin,
  Kafka,
  OffsetSurvey,
  PartitionOffset,
  ReadFrom,
  SurveyOptions,
  UnknownPartition,
} from '@sluice/kafka'
import { describeError } from '../describe-error.ts'
import { counted } from '../output/figures.ts'
import { printable } from '../output/printable.ts'
import { unknownLines } from '../output/unknown.ts'
import type { Terminal } from '../terminal.ts'
import { showRecords, type ShowOptions } from './show.ts'

/** Which partitions of a topic can be read now. */
export interface Reach {
  readonly topic: string
  readonly partitions: readonly number[]
  readonly unknown: readonly UnknownPartition[]
  /** By partition: how many records an open transaction holds back from readers of committed ones. */
  readonly held: ReadonlyMap<number, number>
}

/** Asks the leaders of a topic, or of some partitions of it, whether they answer. */
export async function reachOf(
  admin: Admin,
  topic: string,
  only: readonly number[] | undefined,
  options: SurveyOptions,
): Promise<Reach> {
  const stableOffsets = (): Promise<OffsetSurvey> =>
    admin.surveyOffsets([topic], 'latest', { ...options, isolation: 'read_committed' })
  const [stable, ends] = await Promise.all([
    stableOffsets(),
    admin.surveyOffsets([topic], 'latest', { ...options, isolation: 'read_uncommitted' }),
  ])
  const isWanted = ({ partition }: { readonly partition: number }): boolean => only?.includes(partition) ?? true
  const answers = new Set(stable.offsets.map(({ partition }) => partition))
  const known = ends.offsets.filter((one) => isWanted(one) && answers.has(one.partition))
  const errors = new Map([...stable.unknown, ...ends.unknown].map((one) => [one.partition, one]))
  let held = heldOf(known, stable)
  // Records that were written between the two answers look as if they were held: newer stable offsets are behind them.
  if (held.size > 0) held = heldOf(known, await stableOffsets())
  return {
    topic,
    partitions: known.map(({ partition }) => partition),
    unknown: [...errors.values()].filter(isWanted),
    held,
  }
}

/** How many records before each end are behind the last stable offset of their partition. */
function heldOf(ends: readonly PartitionOffset[], { offsets }: OffsetSurvey): ReadonlyMap<number, number> {
  const stableAt = new Map(offsets.map(({ partition, offset }) => [partition, offset]))
  const held = ends.map(({ partition, offset }) => [partition, offset - (stableAt.get(partition) ?? offset)] as const)
  return new Map(held.filter(([, count]) => count > 0))
}

/** A line for each reason why partitions cannot be read, and for what is held back from a reader of committed records. */
export function reachLines({ topic, unknown, held }: Reach, { uncommitted = false }): string[] {
  const missing = unknown.map(({ partition, error }) => ({ what: `${topic}/${partition}`, error }))
  const lines = Array.from(held, ([partition, count]) =>
    printable(
      `${topic}/${partition}: an open transaction holds ${counted(count, 'record')} back; --uncommitted shows them`,
    ),
  )
  return [...unknownLines(missing), ...(uncommitted ? [] : lines)]
}

const LOOK_AGAIN_MS = 2_000

/**
 * Follows partitions that could not be read at first from when they can be, until the signal. Returns those that still
 * cannot be read.
 * @param from where to begin in them
 */
export async function followLate(
  terminal: Terminal,
  kafka: Kafka,
  { topic, unknown }: Reach,
  from: ReadFrom,
  options: ShowOptions & { readonly patience: SurveyOptions },
): Promise<readonly UnknownPartition[]> {
  const { signal, patience, ...show } = options
  const following: Promise<unknown>[] = []
  let left = unknown
  while (left.length > 0) {
    await sleep(LOOK_AGAIN_MS, undefined, { signal }).catch(() => undefined)
    if (signal.aborted) break
    const wanted = left.map(({ partition }) => partition)
    // No broker answers at all: the tail of the other partitions reports that.
    const reach = await reachOf(kafka.admin(), topic, wanted, patience).catch(() => undefined)
    if (reach === undefined || reach.partitions.length === 0) continue
    left = left.filter(({ partition }) => !reach.partitions.includes(partition))
    terminal.note(printable(`${topic}/${reach.partitions.join(',')} can be read again`))
    const read = { ...show.read, partitions: reach.partitions, from }
    const shown = showRecords(terminal, kafka, { ...show, signal, read })
    following.push(shown.catch((error: unknown) => terminal.note(describeError(error))))
  }
  await Promise.all(following)
  return left
}
