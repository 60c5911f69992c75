import { StackError } from '@sluice/stack'
import { describe, expect, it } from 'vitest'
import { describeError } from './describe-error.ts'

describe('an error on the command line', () => {
  it('is one line with its code, what is wrong and what to do', () => {
    const error = new StackError('port_taken', 'port 1 is\n  taken', 'stop that process')
    expect(describeError(error)).toBe('port_taken: port 1 is taken - stop that process')
  })

  it('is its message where it knows no more', () => {
    expect(describeError(new Error('no luck'))).toBe('no luck')
    expect(describeError('no luck')).toBe('no luck')
  })

  it('says what to do about what Kafka refuses, by its own name of it', () => {
    const refused = Object.assign(new Error('no'), { code: 'broker_refused', apiError: 'TOPIC_AUTHORIZATION_FAILED' })
    expect(describeError(refused)).toBe(
      'broker_refused: no - this user may not do that with this topic: grant it with an ACL',
    )
  })

  it('says what to do where no broker answers, and nothing where the reason is known', () => {
    const silent = Object.assign(new Error('no broker told its topics within 3000 ms'), { code: 'cluster_timed_out' })
    expect(describeError(silent)).toMatch(/within 3000 ms - see that Kafka runs and answers: .*--bootstrap/)
    const told = Object.assign(new Error('late: why', { cause: new Error('why') }), { code: 'cluster_timed_out' })
    expect(describeError(told)).toBe('cluster_timed_out: late: why')
  })

  it('commands no terminal, whatever it quotes', () => {
    expect(describeError(new Error('topic \u001B[2J'))).toBe('topic \\e[2J')
  })
})
