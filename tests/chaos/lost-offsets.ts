import { type Consumer, Kafka, text, topic } from '@sluice/kafka'
import { startStack } from '@sluice/stack'
import { until } from '../system/support/until.ts'
import { numberOptions } from './options.ts'
import { type Proof, seededRandom } from './proof.ts'

const partitions = 2
const group = 'readers'

export const lostOffsets: Proof = {
  title:
    'offsets that are lost: forgotten by the group, cut from the log, of a topic that was deleted and created again',
  usage: 'lost-offsets [--times 30] [--seed 1]',
  quick: ['--times', '3'],
  async run(args, tell) {
    const { times, seed } = numberOptions(args, { times: 30, seed: 1 })
    tell(`lost-offsets --times ${times} --seed ${seed}`)
    const random = seededRandom(seed)
    await using stack = await startStack({ kafka: true })
    await using kafka = new Kafka({ brokers: [stack.kafka.bootstrapServers], clientId: 'lost-offsets' })
    const anomalies: string[] = []
    for (let time = 0; time < times; time++) {
      const { title, lose } = faults[time % faults.length]!
      const loss = new Loss(kafka, `lost-${time}`, random)
      const found = await loss.run(lose).catch((error: unknown) => [String(error)])
      tell(`${time + 1} of ${times}: ${title}: ${loss.summary}`)
      anomalies.push(...found.map((line) => `${loss.name}, ${title}: ${line}`))
    }
    return anomalies
  },
}

/** What is lost. Returns what has to be handled from now on, and the events of which one has to be told; none: any. */
type Lose = (loss: Loss) => Promise<{ readonly expected: ReadonlySet<string>; readonly told: readonly string[] }>

const faults: readonly { readonly title: string; readonly lose: Lose }[] = [
  {
    title: 'the group has forgotten its offsets',
    async lose(loss) {
      await loss.stop()
      await loss.kafka.admin().deleteOffsets(
        group,
        loss.places(() => 0),
      )
      await loss.start()
      return { expected: loss.idsFrom(() => 0), told: ['reset no_committed_offset'] }
    },
  },
  {
    title: 'records beyond the position were deleted while nobody read',
    async lose(loss) {
      await loss.stop()
      const cut = await loss.cutBeyondPosition()
      await loss.start()
      // What the map says to be finished is, in what is left of the same log.
      return { expected: loss.idsFrom(cut).difference(loss.finished), told: ['reset offset_out_of_range'] }
    },
  },
  {
    title: 'records were deleted while their handlers ran',
    async lose(loss) {
      const cut = await loss.cutBeyondPosition()
      await loss.write()
      return { expected: loss.idsFrom((partition) => Math.max(cut(partition), loss.endBefore(partition))), told: [] }
    },
  },
  {
    title: 'the topic was created again while nobody read',
    async lose(loss) {
      await loss.stop()
      await loss.recreate()
      await loss.write()
      await loss.start()
      return {
        expected: loss.idsFrom(() => 0),
        told: [],
      }
    },
  },
  {
    title: 'the topic was created again under a reader',
    async lose(loss) {
      await loss.recreate()
      await loss.write()
      return { expected: loss.idsFrom(() => 0), told: ['topicRecreated'] }
    },
  },
]

/** One topic, one reader whose commits bear an offset map, and one loss. */
class Loss {
  readonly kafka: Kafka
  readonly name: string
  readonly #random: () => number
  /** By partition: the ids in the log, by their offsets. */
  #log: string[][] = []
  #ends: number[] = []
  #ids = 0
  /** Since the loss, of the present log. */
  #handled = new Set<string>()
  /** Before the loss. */
  finished: ReadonlySet<string> = new Set()
  readonly #written = new Set<string>()
  readonly #told: string[] = []
  #consumer: Consumer<ReturnType<typeof source>> | undefined
  #running: Promise<void> = Promise.resolve()
  #isOver = false
  summary = ''

  constructor(kafka: Kafka, name: string, random: () => number) {
    this.kafka = kafka
    this.name = name
    this.#random = random
  }

  async run(lose: Lose): Promise<string[]> {
    await this.#create()
    await this.write()
    await this.start()
    // All but those that stay open: the commit bears a map.
    const all = this.#log.flat().filter((id) => !isOpen(id))
    await until(() => this.#handled.size === all.length)
    this.finished = this.#handled
    this.#handled = new Set()
    this.#isOver = true
    const toldBefore = this.#told.length
    const { expected, told } = await lose(this)
    await until(() => expected.isSubsetOf(this.#handled)).catch(() => {})
    await this.stop()
    const missing = expected.difference(this.#handled)
    const events = this.#told.slice(toldBefore)
    this.summary = `${expected.size} to be handled, ${this.#handled.size} were; ${[...new Set(events)].join(', ') || 'no event'}`
    const anomalies = missing.size > 0 ? [`${missing.size} were skipped, such as ${[...missing][0]}`] : []
    const strange = this.#handled.difference(this.#written)
    if (strange.size > 0) anomalies.push(`${strange.size} were handled that were never written`)
    if (told.length > 0 && !told.some((one) => events.includes(one))) {
      anomalies.push(`none of ${told.join(', ')} was told`)
    }
    return anomalies
  }

  async start(): Promise<void> {
    const consumer = await this.kafka.consumer({
      group,
      topics: [source(this.name)],
      reset: 'earliest',
      order: 'unordered',
      concurrency: 400,
      commitIntervalMs: 100,
      handlerTimeoutMs: 600_000,
      // Half of it is what open handlers are waited for where a partition goes.
      rebalanceTimeoutMs: 4_000,
    })
    consumer.on('reset', ({ reason }) => this.#told.push(`reset ${reason}`))
    consumer.on('topicRecreated', () => this.#told.push('topicRecreated'))
    this.#consumer = consumer
    this.#running = consumer.run(async ({ value }, { signal }) => {
      if (!this.#isOver && isOpen(value!)) await aborted(signal)
      this.#handled.add(value!)
    })
  }

  async stop(): Promise<void> {
    await this.#consumer?.close({ timeoutMs: 200 })
    await this.#running
  }

  async write(): Promise<void> {
    await using producer = await this.kafka.producer()
    this.#ends = this.#log.map(({ length }) => length)
    const count = 100 + Math.floor(this.#random() * 200)
    for (let n = 0; n < count; n++) {
      const partition = Math.floor(this.#random() * partitions)
      const id = `${this.#ids++}`
      this.#log[partition]!.push(id)
      this.#written.add(id)
      // A topic that was just created may not be known everywhere yet; the delivery timeout waits for that.
      void producer.send(source(this.name), { value: id, partition })
    }
    await producer.flush()
  }

  async recreate(): Promise<void> {
    await this.kafka.admin().deleteTopics([this.name])
    this.#handled = new Set()
    await this.#create()
  }

  /** Somewhere between the position of the group and the end; returns where by partition. */
  async cutBeyondPosition(): Promise<(partition: number) => number> {
    const admin = this.kafka.admin()
    const committed = await admin.committedOffsets(group)
    const cuts = this.#log.map((ids, partition) => {
      const position = committed.find((one) => one.topic === this.name && one.partition === partition)?.offset ?? 0
      return Math.min(ids.length, position + 1 + Math.floor(this.#random() * (ids.length - position)))
    })
    await admin.deleteRecords(this.places((partition) => cuts[partition]!))
    return (partition) => cuts[partition]!
  }

  places(offsetOf: (partition: number) => number) {
    return this.#log.map((_, partition) => ({ topic: this.name, partition, offset: offsetOf(partition) }))
  }

  /** What the log holds from these offsets on. */
  idsFrom(offsetOf: (partition: number) => number): Set<string> {
    return new Set(this.#log.flatMap((ids, partition) => ids.slice(offsetOf(partition))))
  }

  /** Where the log ended before the last were written. */
  endBefore(partition: number): number {
    return this.#ends[partition]!
  }

  async #create(): Promise<void> {
    await this.kafka.admin().createTopics([{ name: this.name, partitions }])
    this.#log = Array.from({ length: partitions }, () => [])
  }
}

const source = (name: string) => topic(name, { value: text })
/** One in ten stays open until the loss. */
const isOpen = (id: string): boolean => Number(id) % 10 === 3

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)))
}
