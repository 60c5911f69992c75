// Objects with a `then` are what is tested here.
/* oxlint-disable unicorn/no-thenable */
import { describe, expect, test } from 'vitest'
import { promiseOf } from './promise-of.ts'

/** An object whose `then` is this function. */
function thenable(then: (resolve: (value: string) => void, reject: (error: unknown) => void) => unknown): never {
  return { ['then']: then } as never
}

describe('what a callback has returned', () => {
  test.each([undefined, null, 0, 'text', {}, [], () => {}, { ['then']: 'now' }])('%j is no promise', (value) => {
    expect(promiseOf(value)).toBeUndefined()
  })

  test('a plain promise is used as it is, without another one', () => {
    const promise = Promise.resolve('a')
    expect(promiseOf(promise)).toBe(promise)
  })

  test('a thenable is waited for, also one that is a function', async () => {
    expect(await promiseOf(thenable((resolve) => resolve('a')))).toBe('a')
    const callable = Object.assign(() => {}, { ['then']: (resolve: (value: string) => void) => resolve('b') })
    expect(await promiseOf<unknown>(callable)).toBe('b')
  })

  test('one that settles several times, and throws afterwards, settles once', async () => {
    const settled = promiseOf<string>(
      thenable((resolve, reject) => {
        resolve('first')
        resolve('second')
        reject(new Error('third'))
        throw new Error('fourth')
      }),
    )
    expect(await settled).toBe('first')
  })

  test.each<[string, unknown]>([
    ['whose then throws', thenable(() => throwing())],
    ['whose then is a getter that throws', Object.defineProperty({}, 'then', { get: throwing })],
    ['that is a proxy of a promise', new Proxy(Promise.resolve(), {})],
    [
      'that is a promise with a constructor that throws',
      Object.defineProperty(Promise.resolve(), 'constructor', { get: throwing }),
    ],
  ])('one %s rejects', async (_, value) => {
    await expect(promiseOf(value)).rejects.toBeInstanceOf(Error)
  })

  test('a promise of a class of its own is waited for', async () => {
    class Own<T> extends Promise<T> {}
    const own = Own.resolve('a')
    expect(await promiseOf(own)).toBe('a')
  })
})

function throwing(): never {
  throw new Error('a bad thenable')
}
