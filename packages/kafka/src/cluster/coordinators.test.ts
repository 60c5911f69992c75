import { ManualClock } from '@sluice/flow'
import { describe, expect, test } from 'vitest'
import { brokerError, errorCode } from '../driver/classify.ts'
import type { BrokerNode } from '../driver/driver.ts'
import { ConnectionError } from '../errors.ts'
import { Coordinators } from './coordinators.ts'

const node: BrokerNode = { id: 1, host: 'a', port: 9_092 }

function setUp(answers: ReadonlyArray<() => BrokerNode>) {
  const clock = new ManualClock()
  const state = { asked: 0 }
  const findCoordinator = async (): Promise<BrokerNode> => answers[Math.min(state.asked++, answers.length - 1)]!()
  return { clock, state, coordinators: new Coordinators({ driver: { findCoordinator }, clock, timeoutMs: 1_000 }) }
}

const electing = (): never => {
  throw brokerError(errorCode('COORDINATOR_NOT_AVAILABLE'), null)
}

describe('coordinators', () => {
  test('are looked up once, however many ask, until they are forgotten', async () => {
    const { coordinators, state } = setUp([() => node])
    await Promise.all([coordinators.find('group', 'g'), coordinators.find('group', 'g')])
    await coordinators.find('group', 'g')
    expect(state.asked).toBe(1)
    coordinators.forget('group', 'g')
    await coordinators.find('group', 'g')
    expect(state.asked).toBe(2)
    await coordinators.find('transaction', 'g')
    expect(state.asked).toBe(3)
  })

  test('are waited for while they are elected', async () => {
    const { coordinators, clock, state } = setUp([electing, electing, () => node])
    const found = coordinators.find('group', 'g')
    await clock.advanceAsync(500)
    expect(await found).toBe(node)
    expect(state.asked).toBe(3)
  })

  test('are not waited for beyond the time, and asked for anew afterwards', async () => {
    const { coordinators, clock } = setUp([electing])
    const found = coordinators.find('group', 'g')
    const failure = found.catch((error: unknown) => error)
    await clock.advanceAsync(1_000)
    expect(await failure).toMatchObject({ code: 'cluster_timed_out', retriable: true })
    expect(clock.pending).toBe(0)
  })

  test('a broker that cannot be reached is told at once', async () => {
    const { coordinators, state } = setUp([
      () => {
        throw new ConnectionError('a:1', 'no')
      },
      () => node,
    ])
    await expect(coordinators.find('group', 'g')).rejects.toBeInstanceOf(ConnectionError)
    expect(await coordinators.find('group', 'g')).toBe(node)
    expect(state.asked).toBe(2)
  })

  test('of the last thousand groups are kept, however many are asked for', async () => {
    const { coordinators, state } = setUp([() => node])
    for (let group = 0; group <= 1_000; group++) await coordinators.find('group', `${group}`)
    await coordinators.find('group', '1000')
    await coordinators.find('group', '1')
    expect(state.asked).toBe(1_001)
    await coordinators.find('group', '0')
    expect(state.asked).toBe(1_002)
    // The one that was asked for again is not the oldest.
    await coordinators.find('group', '1')
    expect(state.asked).toBe(1_002)
  })
})
