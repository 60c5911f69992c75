import { describe, expect, it } from 'vitest'
import { CommitInDoubtError, TransactionAbortedError, TransactionEndedError } from '../errors.ts'
import { faultOf, isCanceled, isOfData, isRefusal } from './fault.ts'

const coded = (code: string): Error => Object.assign(new Error('failed'), { code })

describe('whose fault an error is', () => {
  it.each([
    '08006',
    '25006',
    '25P03',
    '40001',
    '40P01',
    '53300',
    '55P03',
    '57014',
    '57P01',
    '58030',
    'ECONNRESET',
    'EPIPE',
  ])('nobody of %s, which passes', (code) => expect(faultOf(coded(code))).toBe('transient'))

  it.each(['21000', '22P02', '23505', '23514', '25P02', '44000', '54000', 'P0001'])('the record of %s', (code) =>
    expect(faultOf(coded(code))).toBe('record'),
  )

  it.each(['42P01', '42501', '28P01', '0A000', 'XX000'])('neither of %s, which every record would meet', (code) =>
    expect(faultOf(coded(code))).toBe('other'),
  )

  it('the record of what its handler throws, also of what is no error, and of a code that only looks like one', () => {
    expect(faultOf(new TypeError('no'))).toBe('record')
    expect(faultOf('no')).toBe('record')
    expect(faultOf(coded('EBUSY'))).toBe('record')
    expect(faultOf(new TransactionAbortedError())).toBe('record')
  })

  it('that of the first cause that says something, where the error itself says nothing', () => {
    const wrapped = (cause: unknown): Error => new Error('not stored', { cause: new Error('no row', { cause }) })
    expect(faultOf(wrapped(coded('42P01')))).toBe('other')
    expect(faultOf(wrapped(coded('40001')))).toBe('transient')
    expect(faultOf(wrapped(coded('23505')))).toBe('record')
    expect(isOfData(wrapped(coded('23505')))).toBe(true)
    expect(isCanceled(wrapped(coded('57014')))).toBe(true)
    const circular = new Error('a')
    circular.cause = new Error('b', { cause: circular })
    expect(faultOf(circular)).toBe('record')
  })

  it('the program of a transaction that its handler has ended, whatever the reason', () =>
    expect(faultOf(new TransactionEndedError(coded('23505')))).toBe('other'))

  it('the record of too many parameters, and nobody of a connection that broke', () => {
    expect(faultOf(Object.assign(coded('08P01'), { severity: 'ERROR' }))).toBe('record')
    expect(faultOf(Object.assign(coded('08P01'), { severity: 'FATAL' }))).toBe('transient')
  })

  it('nobody of what is retriable, and of what pg finds out itself', () => {
    expect(faultOf(new CommitInDoubtError(new Error('cut')))).toBe('transient')
    expect(faultOf(new Error('Connection terminated unexpectedly'))).toBe('transient')
  })
})

it('what PostgreSQL refuses in data it refuses again, and what a handler throws perhaps not', () => {
  expect(isOfData(coded('23505'))).toBe(true)
  expect(isOfData(new TypeError('no'))).toBe(false)
  expect(isOfData(coded('42P01'))).toBe(false)
})

it.each(['23505', '40001', '40P01', '42P01'])('%s says that nothing was done', (code) =>
  expect(isRefusal(coded(code))).toBe(true),
)

it.each(['08006', '57P01', '40003', 'XX000', 'ECONNRESET'])('%s leaves open what was done', (code) =>
  expect(isRefusal(coded(code))).toBe(false),
)
