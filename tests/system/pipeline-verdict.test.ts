import { expect, test } from 'vitest'
import { type PipelineResult, type TopicResult, anomaliesOf } from '../chaos/pipeline-verdict.ts'
import { type Comparison, compare } from './support/ledger.ts'

const whole = compare(['a', 'b'], ['a', 'b'])
const views = (changed: Partial<TopicResult> = {}): TopicResult => ({
  topic: whole,
  table: whole,
  handled: whole,
  repeatedFirstAtMs: [],
  ...changed,
})
const result = (changed: Partial<PipelineResult> = {}): PipelineResult => ({
  orders: views(),
  products: views(),
  exitCode: 0,
  restarted: [],
  killed: undefined,
  killedAtMs: undefined,
  ...changed,
})
const repeated = (repeats: number): Comparison => ({ ...whole, repeats })
const killedAtMs = 1_000_000
const killed = (name: string) => ({ killed: name, restarted: [name], killedAtMs })
const repeatedAt = (...afterKillMs: number[]) => views({ repeatedFirstAtMs: afterKillMs.map((ms) => killedAtMs + ms) })

test.each<[string, PipelineResult]>([
  ['an undisturbed run', result()],
  [
    'repeats of what was not committed at a kill',
    result({ ...killed('consumer'), orders: repeatedAt(-1_500, 0, 500) }),
  ],
  [
    'repeats of what a broker that was away could not take',
    result({ ...killed('kafka-1'), orders: repeatedAt(9_000) }),
  ],
  ['records whose acknowledgement a kill took along', result({ orders: views({ topic: compare(['a'], ['a', 'b']) }) })],
])('%s passes', (_, run) => expect(anomaliesOf(run)).toEqual([]))

test.each<[string, PipelineResult]>([
  ['an order that is not in the topic', result({ orders: views({ topic: compare(['a', 'b'], ['a']) }) })],
  ['an order that is not in PostgreSQL', result({ orders: views({ table: compare(['a', 'b'], ['a']) }) })],
  ['a product that was never handled', result({ products: views({ handled: compare(['a', 'b'], ['a']) }) })],
  ['a record twice in the topic', result({ orders: views({ topic: repeated(1) }) })],
  ['a record handled twice without a kill', result({ orders: repeatedAt(0) })],
  ['a repeat after a kill of the generator', result({ ...killed('generator'), orders: repeatedAt(0) })],
  ['a repeat of what was committed long before', result({ ...killed('consumer'), products: repeatedAt(-2_500) })],
  ['a repeat of what came long after', result({ ...killed('consumer'), orders: repeatedAt(1_500) })],
  ['a repeat of what was committed before a broker went', result({ ...killed('kafka-1'), orders: repeatedAt(-2_500) })],
  ['a process that ended without having been killed', result({ restarted: ['generator'] })],
  [
    'a process that ended once more than it was killed',
    result({ ...killed('consumer'), restarted: ['consumer', 'consumer'] }),
  ],
  ['a demo that failed', result({ exitCode: 1 })],
  ['a run that wrote nothing', result({ orders: views({ topic: compare([], []) }) })],
])('%s fails', (_, run) => expect(anomaliesOf(run)).toHaveLength(1))
