import { type Clock, SluiceError } from '@sluice/flow'
import { requireInteger, orAborted } from '@sluice/flow/internal'
import type { Cluster } from '../cluster/cluster.ts'
import { hedgeMs } from '../driver/any-broker.ts'
import { ClusterTimeoutError, RequestTimeoutError } from '../errors.ts'
import { answerWithin } from '../async/within.ts'
import { Deadline } from './deadline.ts'
import type { SurveyOptions } from './options.ts'
import type { AskBroker } from './ask-broker.ts'

const defaultSilentMs = 2_000

/**
 * Questions to single brokers, asked at the same time. A broker that is silent for `silentMs`, or that cannot be
 * reached, is not asked again by the same inquiry: it costs this time once, however many questions are for it.
 */
export class Inquiry {
  readonly silentMs: number
  readonly #clock: Clock
  readonly #signal: AbortSignal | undefined
  readonly #unreachable = new Map<number, Error>()

  constructor(clock: Clock, { silentMs = defaultSilentMs, signal }: SurveyOptions) {
    this.silentMs = requireInteger('silentMs', silentMs, { min: 1, max: 2 ** 31 - 1 })
    this.#clock = clock
    this.#signal = signal
    signal?.throwIfAborted()
  }

  /** @throws RequestTimeoutError for a silent broker; what the question throws; the signal's reason */
  readonly ask: AskBroker = async (broker, api, question) => {
    const known = this.#unreachable.get(broker.id)
    if (known) throw known
    try {
      const late = (): Error => new RequestTimeoutError(`${broker.host}:${broker.port}`, api, this.silentMs)
      return await orAborted(answerWithin(this.#clock, question(), this.silentMs, late), this.#signal)
    } catch (error) {
      if (isOfConnection(error)) this.#unreachable.set(broker.id, error)
      throw error
    }
  }

  /**
   * What any broker can answer: a silent one costs a second, then the next is asked as well.
   * @throws ClusterTimeoutError `what`; what the work throws; the signal's reason
   */
  async fromAny<Answer>(what: string, work: Promise<Answer>): Promise<Answer> {
    const timeoutMs = this.silentMs + 2 * hedgeMs
    const late = (): Error => new ClusterTimeoutError(what, timeoutMs)
    return await orAborted(answerWithin(this.#clock, work, timeoutMs, late), this.#signal)
  }

  /** The waits between questions that are asked again, as long as a silent broker is waited for. */
  deadline(): Deadline {
    return new Deadline(this.#clock, { timeoutMs: this.silentMs, ...(this.#signal && { signal: this.#signal }) })
  }

  /** Asks for these topics: see `Cluster.refresh`. */
  async refresh(cluster: Cluster, topics: readonly string[]): Promise<void> {
    await this.fromAny('no broker told its topics', cluster.refresh(topics))
  }
}

/** Anything but an answer: the next question to the same broker would meet it too. */
function isOfConnection(error: unknown): error is SluiceError {
  return error instanceof SluiceError && connectionCodes.has(error.code)
}

const connectionCodes = new Set<string>([
  'connection_failed',
  'request_timed_out',
  'authentication_failed',
  'token_failed',
  'broker_unsupported',
])
