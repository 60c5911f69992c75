import { ManualClock } from '@sluice/flow'
import { describe, expect, test } from 'vitest'
import { AuthenticationError, ConnectionError } from '../errors.ts'
import { AnyBroker, hedgeFor } from './any-broker.ts'
import { brokerError } from './classify.ts'
import type { Address } from './connect-options.ts'

const address = (host: string): Address => ({ host, port: 9_092 })
const [a, b, c] = [address('a'), address('b'), address('c')]
const unreachable = ({ host }: Address): Promise<never> =>
  Promise.reject(new ConnectionError(`${host}:9092`, `cannot connect to ${host}`))
const never = (): Promise<never> => new Promise(() => {})

describe('any broker', () => {
  test('asks the next when one cannot be reached', async () => {
    const brokers = new AnyBroker([a, b, c], new ManualClock())
    const answer = await brokers.ask((broker) => (broker.host === 'c' ? Promise.resolve('here') : unreachable(broker)))
    expect(answer).toBe('here')
  })

  test('a silent broker costs a second, and is asked last from then on', async () => {
    const clock = new ManualClock()
    const brokers = new AnyBroker([a], clock)
    brokers.know([b, c])
    const asked: string[] = []
    const silent = new Set(['b', 'c'])
    const question = (broker: Address): Promise<string> => {
      asked.push(broker.host)
      return silent.has(broker.host) ? never() : Promise.resolve(broker.host)
    }
    const first = brokers.ask(question)
    expect(asked).toHaveLength(1)
    await clock.advanceAsync(999)
    expect(asked).toHaveLength(1)
    await clock.advanceAsync(1)
    expect(asked).toHaveLength(2)
    await clock.advanceAsync(1_000)
    expect(await first).toBe('a')
    asked.length = 0
    expect(await brokers.ask(question)).toBe('a')
    expect(asked).toEqual(['a'])
    expect(clock.pending).toBe(0)
  })

  test('a silent broker costs a third of the time to connect, where that is less', async () => {
    const clock = new ManualClock()
    const brokers = new AnyBroker([a, b], clock, hedgeFor(1_800))
    const asked: string[] = []
    const question = (broker: Address): Promise<string> => {
      asked.push(broker.host)
      return asked.length === 1 ? never() : Promise.resolve(broker.host)
    }
    const answer = brokers.ask(question)
    await clock.advanceAsync(599)
    expect(asked).toHaveLength(1)
    await clock.advanceAsync(1)
    expect(asked).toEqual(expect.arrayContaining(['a', 'b']))
    expect(await answer).toBe(asked[1])
  })

  test('what a broker answers is the answer, an error too', async () => {
    const brokers = new AnyBroker([a, b], new ManualClock())
    let asked = 0
    const question = (): Promise<never> => {
      asked++
      return Promise.reject(brokerError(15, null))
    }
    await expect(brokers.ask(question)).rejects.toMatchObject({ apiError: 'COORDINATOR_NOT_AVAILABLE' })
    expect(asked).toBe(1)
  })

  test('says of every address why it failed', async () => {
    const brokers = new AnyBroker([a, b], new ManualClock())
    const failure = await brokers.ask(unreachable).catch((error: Error) => error)
    expect(failure).toBeInstanceOf(ConnectionError)
    expect(String(failure)).toContain('cannot connect to a')
    expect(String(failure)).toContain('cannot connect to b')
  })

  test('says what the user can mend before what may pass by itself', async () => {
    const brokers = new AnyBroker([a, b], new ManualClock())
    const question = (broker: Address): Promise<never> =>
      broker.host === 'a' ? Promise.reject(new AuthenticationError('a:9092', 'refused')) : unreachable(broker)
    await expect(brokers.ask(question)).rejects.toBeInstanceOf(AuthenticationError)
  })

  test('goes back to the bootstrap addresses when all that it knew are gone', async () => {
    const brokers = new AnyBroker([a], new ManualClock())
    brokers.know([b, c])
    const asked: string[] = []
    const answer = await brokers.ask((broker) => {
      asked.push(broker.host)
      return broker.host === 'a' ? Promise.resolve('found') : unreachable(broker)
    })
    expect(answer).toBe('found')
    expect(asked.toSorted()).toEqual(['a', 'b', 'c'])
    expect(asked.at(-1)).toBe('a')
  })
})
