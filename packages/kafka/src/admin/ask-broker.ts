import type { BrokerNode } from '../driver/driver.ts'

/** A question that only this broker can answer. `api` names the request in errors, such as `ListOffsets`. */
export type AskBroker = <Answer>(broker: BrokerNode, api: string, question: () => Promise<Answer>) => Promise<Answer>
