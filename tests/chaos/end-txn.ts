import { setTimeout as sleep } from 'node:timers/promises'
import { Kafka, text, topic, type TransactionalProducer, type TransactionOutcome } from '@sluice/kafka'
import { startStack } from '@sluice/stack'
import { freePort } from '../system/support/holding-proxy.ts'
import { readWithJava } from '../system/support/java.ts'
import { endTxn as endTxnKey, produce, RequestProxy, type SeenRequest } from './exactly-once/request-proxy.ts'
import { check } from './history/check.ts'
import { History } from './history/history.ts'
import { numberOptions } from './options.ts'
import { type Proof, seededRandom } from './proof.ts'

const name = 'late-ends'
const partitions = 3
const perPartition = 30
/** The least there is: after so long the broker aborts what is open. */
const transactionTimeoutMs = 1_000
const requestTimeoutMs = 800

export const endTxn: Proof = {
  title: 'the end of a transaction that arrives late, in the middle of the next one of the same producer',
  usage: 'end-txn [--times 20] [--seed 1]',
  quick: ['--times', '2'],
  async run(args, tell) {
    const { times, seed } = numberOptions(args, { times: 20, seed: 1 })
    tell(`end-txn --times ${times} --seed ${seed}, with each version of transactions`)
    const found: string[] = []
    for (const version of [2, 1] as const) found.push(...(await delayEnds(version, times, seededRandom(seed), tell)))
    return found
  },
}

/** What was sent, by the order of sending, and in which transaction. */
interface SentRow {
  readonly partition: number
  readonly transaction: number
}

async function delayEnds(
  version: 1 | 2,
  times: number,
  random: () => number,
  tell: (line: string) => void,
): Promise<string[]> {
  const [proxyPort, behindPort] = [await freePort(), await freePort()]
  await using stack = await startStack({
    kafka: {
      properties: ({ port, controllerPort }) => ({
        listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort},PROXIED://127.0.0.1:${behindPort}`,
        'advertised.listeners': `PLAINTEXT://127.0.0.1:${port},PROXIED://127.0.0.1:${proxyPort}`,
        'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,PROXIED:PLAINTEXT',
        'transaction.abort.timed.out.transaction.cleanup.interval.ms': 100,
      }),
      formatArguments: ['--feature', `transaction.version=${version}`],
    },
  })
  await using proxy = await RequestProxy.open(proxyPort, behindPort)
  await using kafka = new Kafka({ brokers: [`127.0.0.1:${proxyPort}`], clientId: 'end-txn', requestTimeoutMs })
  await using direct = new Kafka({ brokers: [stack.kafka.bootstrapServers], clientId: 'direct' })
  await direct.admin().createTopics([{ name, partitions }])
  await using producer = await kafka.transactionalProducer({
    transactionalId: 'late',
    timeoutMs: transactionTimeoutMs,
    // So that a transaction takes several requests, and a late end finds a part of it written.
    batchBytes: 200,
    compression: 'none',
  })
  const run = new Run(producer)
  const answers: string[] = []
  const outcomes: string[] = []
  for (let round = 0; round < times; round++) {
    // Every other end is tried again at once and done then; the rest find their transaction timed out.
    const isTimedOut = round % 2 === 0
    const late = new LateEnd(proxy, isTimedOut ? transactionTimeoutMs + 300 + random() * 500 : 0)
    outcomes.push(await run.write())
    late.waitForNext(1 + Math.floor(random() * 5))
    outcomes.push(await run.write())
    answers.push(await late.answer)
    proxy.admit = () => undefined
  }
  const summed = (all: readonly string[]): string =>
    Object.entries(Object.groupBy(all, (one) => one))
      .map(([one, own]) => `${own!.length} ${one}`)
      .join(', ')
  tell(`version ${version}: ${times} late ends, answered with ${summed(answers)}; transactions: ${summed(outcomes)}`)
  return (await run.anomalies(stack.kafka.bootstrapServers)).map((line) => `version ${version}: ${line}`)
}

/** Those that are to be expected; the first of them must not be. */
const errors: Readonly<Record<number, string>> = {
  0: 'done',
  47: 'INVALID_PRODUCER_EPOCH',
  48: 'INVALID_TXN_STATE',
  90: 'PRODUCER_FENCED',
}
const nameOf = (errorCode: number): string => errors[errorCode] ?? `error ${errorCode}`

/** Keeps the first end back until the next transaction is in its middle, and all its repetitions for a while. */
class LateEnd {
  /** How the broker answered it. */
  readonly answer: Promise<string>
  readonly #proxy: RequestProxy
  readonly #release = Promise.withResolvers<void>()

  constructor(proxy: RequestProxy, othersForMs: number) {
    this.#proxy = proxy
    const answered = Promise.withResolvers<string>()
    this.answer = answered.promise
    let first: SeenRequest | undefined
    let othersFromMs = 0
    proxy.admit = (request) => {
      if (request.apiKey !== endTxnKey) return undefined
      if (first !== undefined) return sleep(Math.max(0, othersFromMs - performance.now()))
      first = request
      othersFromMs = performance.now() + othersForMs
      request.hangUp()
      return this.#release.promise
    }
    proxy.answered = (request, answer) => {
      // Correlation id, no tags, throttle time.
      if (request === first) answered.resolve(nameOf(answer.readInt16BE(9)))
    }
  }

  /** Lets it go when so many requests with records of the next transaction have passed; the others wait for its answer. */
  waitForNext(requests: number): void {
    let passed = 0
    this.#proxy.admit = ({ apiKey }) => {
      if (apiKey !== produce || passed++ !== requests) return undefined
      this.#release.resolve()
      return this.answer
    }
  }
}

/** Transactions one after the other, and what their producer was told of each. */
class Run {
  readonly #producer: TransactionalProducer
  readonly #sent: SentRow[] = []
  readonly #outcomes: ('committed' | TransactionOutcome)[] = []

  constructor(producer: TransactionalProducer) {
    this.#producer = producer
  }

  async write(): Promise<string> {
    const transaction = this.#outcomes.length
    const target = topic(name, { value: text })
    let outcome: 'committed' | TransactionOutcome = 'committed'
    try {
      await this.#producer.run((scope) => {
        for (let n = 0; n < partitions * perPartition; n++) {
          const partition = n % partitions
          scope.send(target, { value: String(this.#sent.push({ partition, transaction }) - 1), partition })
        }
      })
    } catch (error) {
      const told = (error as { outcome?: TransactionOutcome }).outcome
      if (told === undefined) throw error
      outcome = told
    }
    this.#outcomes.push(outcome)
    return outcome
  }

  async anomalies(bootstrap: string): Promise<readonly string[]> {
    const history = new History()
    for (const outcome of this.#outcomes) history.transaction(outcome)
    for (const { partition, transaction } of this.#sent) {
      history.send({ producer: 0, partition, transaction, outcome: 'acknowledged' })
    }
    const format = ['print.partition=true', 'print.offset=true']
    for (const line of await readWithJava(bootstrap, name, { format, untilIdleMs: 5_000 })) {
      const row = /^Partition:(\d+)\tOffset:(\d+)\t(\d+)$/.exec(line)
      if (row !== null) history.logged(Number(row[1]), Number(row[2]), Number(row[3]))
    }
    return check(history, { effects: 'at least once', complete: false }).sentences()
  }
}
