import { expect, test, vi } from 'vitest'
import { Emitter } from './internal.ts'

interface Events extends Record<string, unknown> {
  full: number
  empty: string
}

test('tells every listener of that name, in the order they came', () => {
  const emitter = new Emitter<Events>()
  const heard: unknown[] = []
  emitter.on('full', (n) => heard.push(['first', n]))
  emitter.on('full', (n) => heard.push(['second', n]))
  emitter.on('empty', (text) => heard.push(text))
  emitter.emit('full', 1)
  expect(heard).toEqual([
    ['first', 1],
    ['second', 1],
  ])
})

test('a registration is taken off alone, even of the same function', () => {
  const emitter = new Emitter<Events>()
  const listener = vi.fn()
  const off = emitter.on('full', listener)
  emitter.on('full', listener)
  off()
  off()
  emitter.emit('full', 1)
  expect(listener).toHaveBeenCalledTimes(1)
  expect(emitter.listenerCount('full')).toBe(1)
  expect(emitter.listenerCount('empty')).toBe(0)
})

test('once hears once, even when it emits again itself', () => {
  const emitter = new Emitter<Events>()
  const heard: number[] = []
  emitter.once('full', (n) => {
    heard.push(n)
    emitter.emit('full', n + 1)
  })
  emitter.emit('full', 1)
  expect(heard).toEqual([1])
  expect(emitter.listenerCount('full')).toBe(0)
})

test('a listener that leaves during an emit does not make another one be passed over', () => {
  const emitter = new Emitter<Events>()
  const heard: string[] = []
  const off: () => void = emitter.on('full', () => off())
  emitter.on('full', () => heard.push('second'))
  emitter.emit('full', 1)
  expect(heard).toEqual(['second'])
})

test('a listener that throws or rejects becomes a warning and stops nobody', async () => {
  const warnings: string[] = []
  const warn = vi.spyOn(process, 'emitWarning').mockImplementation((text) => void warnings.push(String(text)))
  const emitter = new Emitter<Events>()
  const last = vi.fn()
  emitter.on('full', () => {
    throw new Error('broken')
  })
  emitter.on('full', async () => {
    throw 'rejected'
  })
  emitter.on('full', last)
  emitter.emit('full', 1)
  await Promise.resolve()
  warn.mockRestore()
  expect(last).toHaveBeenCalledOnce()
  expect(warnings).toHaveLength(2)
  expect(warnings[0]).toContain('The callback "full" failed: Error: broken')
  expect(warnings[1]).toContain('rejected')
})

test('a listener that is no function is refused at once', () => {
  const emitter = new Emitter<{ full: number }>()
  expect(() => emitter.on('full', undefined as never)).toThrow(expect.objectContaining({ field: 'listener' }))
  expect(() => emitter.once('full', 7 as never)).toThrow(expect.objectContaining({ field: 'listener' }))
})
