import { SluiceError, type SluiceErrorOptions } from '@sluice/flow'

/** Whether a record that was given up can still be in the log: `refused` not, `unknown` maybe. */
export type DeliveryOutcome = 'refused' | 'unknown'

/** No connection to a broker could be made, or it broke before the answer. */
export class ConnectionError extends SluiceError<'connection_failed'> {
  declare readonly address: string

  constructor(address: string, message: string, cause?: unknown) {
    super('connection_failed', message, { retriable: true, cause, facts: { address } })
  }
}

/** A broker did not answer within the request timeout. What it did with the request is unknown. */
export class RequestTimeoutError extends SluiceError<'request_timed_out'> {
  declare readonly address: string
  declare readonly timeoutMs: number

  constructor(address: string, api: string, timeoutMs: number, cause?: unknown) {
    super('request_timed_out', `${api} was not answered by ${address} within ${timeoutMs} ms`, {
      retriable: true,
      cause,
      facts: { address, timeoutMs },
    })
  }
}

/** A broker answered with an error. `apiError` is its name in Kafka's protocol, such as `TOPIC_ALREADY_EXISTS`. */
export class BrokerError extends SluiceError<'broker_refused'> {
  declare readonly apiError: string
  declare readonly apiCode: number

  constructor(apiError: string, apiCode: number, message: string, options: SluiceErrorOptions = {}) {
    super('broker_refused', message, { ...options, facts: { ...options.facts, apiError, apiCode } })
  }
}

/** A record was given up after it had been accepted. */
export class DeliveryError extends SluiceError<'delivery_failed'> {
  declare readonly topic: string
  declare readonly partition: number
  readonly outcome: DeliveryOutcome

  constructor(topic: string, partition: number, outcome: DeliveryOutcome, message: string, cause?: unknown) {
    super('delivery_failed', message, { cause, facts: { topic, partition } })
    this.outcome = outcome
  }
}
