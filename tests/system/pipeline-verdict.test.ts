import { expect, test } from 'vitest'
import { type PipelineResult, type TopicViews, anomaliesOf } from '../chaos/pipeline-verdict.ts'
import { type Comparison, compare } from './support/ledger.ts'

const whole = compare(['a', 'b'], ['a', 'b'])
const views = (changed: Partial<TopicViews> = {}): TopicViews => ({
  topic: whole,
  table: whole,
  handled: whole,
  ...changed,
})
const result = (changed: Partial<PipelineResult> = {}): PipelineResult => ({
  orders: views(),
  products: views(),
  exitCode: 0,
  restarted: [],
  killed: undefined,
  ...changed,
})
const repeated = (repeats: number): Comparison => ({ ...whole, repeats })
const killed = { killed: 'consumer', restarted: ['consumer'] }

test.each<[string, PipelineResult]>([
  ['an undisturbed run', result()],
  [
    'repeats within a commit interval and a gate after a kill',
    result({ ...killed, orders: views({ handled: repeated(6_000) }) }),
  ],
  ['records whose acknowledgement a kill took along', result({ orders: views({ topic: compare(['a'], ['a', 'b']) }) })],
])('%s passes', (_, run) => expect(anomaliesOf(run, 2_000)).toEqual([]))

test.each<[string, PipelineResult]>([
  ['an order that is not in the topic', result({ orders: views({ topic: compare(['a', 'b'], ['a']) }) })],
  ['an order that is not in PostgreSQL', result({ orders: views({ table: compare(['a', 'b'], ['a']) }) })],
  ['a product that was never handled', result({ products: views({ handled: compare(['a', 'b'], ['a']) }) })],
  ['a record twice in the topic', result({ orders: views({ topic: repeated(1) }) })],
  ['a record handled twice without a kill', result({ orders: views({ handled: repeated(1) }) })],
  ['more repeats than a kill explains', result({ ...killed, orders: views({ handled: repeated(6_001) }) })],
  ['a process that ended without having been killed', result({ restarted: ['generator'] })],
  ['a process that ended once more than it was killed', result({ ...killed, restarted: ['consumer', 'consumer'] })],
  ['a demo that failed', result({ exitCode: 1 })],
  ['a run that wrote nothing', result({ orders: views({ topic: compare([], []) }) })],
])('%s fails', (_, run) => expect(anomaliesOf(run, 2_000)).toHaveLength(1))
