import { describe, expect, test } from 'vitest'
import { messageOf, nameOf, stackOf } from './thrown.ts'

const throwing = (): never => {
  throw new TypeError('from inside')
}

const foreign: Readonly<Record<string, unknown>> = {
  'an object without a prototype': Object.create(null),
  'an object whose toString throws': { toString: throwing },
  'an object whose toString gives an object': { toString: () => ({}), valueOf: () => ({}) },
  'a proxy whose every trap throws': new Proxy({}, { get: throwing, getPrototypeOf: throwing }),
  'a revoked proxy': revoked(),
  'an error whose message throws': Object.defineProperty(new Error('m'), 'message', { get: throwing }),
  'an error whose name and stack throw': Object.defineProperties(new Error('m'), {
    name: { get: throwing },
    stack: { get: throwing },
  }),
  'an error whose message is an object': Object.assign(new Error('m'), { message: Object.create(null) as string }),
  'a symbol': Symbol('s'),
  undefined,
  null: null,
  'a big integer': 1n,
}

function revoked(): unknown {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}

describe('what was thrown is described, whatever it is', () => {
  test.each(Object.entries(foreign))('%s', (_, thrown) => {
    for (const describe of [messageOf, nameOf, stackOf]) expect(describe(thrown)).toBeTypeOf('string')
  })

  test('an error by its message, name and stack', () => {
    const error = new RangeError('too far')
    expect([messageOf(error), nameOf(error), stackOf(error)]).toEqual(['too far', 'RangeError', error.stack])
  })

  test('an error of a class without a name of its own by the name of its class', () => {
    class CardRefused extends Error {}
    expect([nameOf(new CardRefused('m')), nameOf(new Error('m'))]).toEqual(['CardRefused', 'Error'])
  })

  test('other values as themselves', () => {
    expect([messageOf('plain'), messageOf(undefined), messageOf(Symbol('s'))]).toEqual([
      'plain',
      'undefined',
      'Symbol(s)',
    ])
    expect([nameOf('plain'), nameOf(undefined)]).toEqual(['string', 'undefined'])
  })
})
