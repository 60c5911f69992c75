import { TransactionEndedError } from '../errors.ts'

/**
 * Whose fault an error is. `transient`: it passes by itself. `record`: of what is being handled, and another record
 * would not meet it. `other`: of the program or the database; every record would meet it.
 */
export type Fault = 'transient' | 'record' | 'other'

/** Two characters of class, three of subclass; a system's error code of five letters has no digit. */
const SQLSTATE = /^(?=.*\d)[0-9A-Z]{5}$/

/**
 * Connection (08), serialization failure, deadlock, resources (53), lock not available, intervention of an operator
 * (57), system error (58), an idle transaction that was ended, a server that has become a standby.
 */
const TRANSIENT = /^(08...|40001|40003|40P01|53...|55P03|57...|58...|25P03|25006)$/

/** What a handler can bring upon itself: a statement that took too long, a transaction that it left idle. */
const OF_SLOWNESS = new Set(['57014', '25P03'])

/** Cardinality, data, integrity constraints, WITH CHECK OPTION, RAISE, program limits, and what follows after them. */
const OF_RECORD = /^(21...|22...|23...|44000|P0...|54...|25P02)$/

const TRANSIENT_SYSTEM = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
])

/** pg has no code for what it finds out itself. */
const TRANSIENT_MESSAGE =
  /^(Connection terminated|Query read timeout|timeout exceeded when trying to connect|Client has encountered a connection error|Client was closed)/

/** Causes within causes that are looked at: they may go in circles. */
const MAX_CAUSES = 10

/** By the error itself, or else by the first of its causes that says something. */
export function faultOf(error: unknown): Fault {
  for (const one of withCauses(error)) {
    const fault = ownFaultOf(one)
    if (fault !== undefined) return fault
  }
  return 'record'
}

function ownFaultOf(error: Error): Fault | undefined {
  if (error instanceof TransactionEndedError) return 'other'
  if (isSqlError(error)) {
    if (isOfStatement(error)) return 'record'
    return TRANSIENT.test(error.code) ? 'transient' : OF_RECORD.test(error.code) ? 'record' : 'other'
  }
  if ('retriable' in error && error.retriable === true) return 'transient'
  const isTransient = TRANSIENT_SYSTEM.has(codeOf(error) ?? '') || TRANSIENT_MESSAGE.test(error.message)
  return isTransient ? 'transient' : undefined
}

/** More than 65,535 parameters, which fewer records have not. A connection that is lost is FATAL. */
function isOfStatement(error: Error & { readonly code: string }): boolean {
  return error.code === '08P01' && 'severity' in error && error.severity !== 'FATAL'
}

/** Whether PostgreSQL would say the same of the same data again. */
export function isOfData(error: unknown): boolean {
  return faultOf(error) === 'record' && withCauses(error).some(isSqlError)
}

/** Whether PostgreSQL itself is away, or has undone the transaction for the sake of others (deadlock, serialization). */
export function isOfServer(error: unknown): boolean {
  return withCauses(error).some((one) => {
    if (!isSqlError(one)) return TRANSIENT_MESSAGE.test(one.message)
    return TRANSIENT.test(one.code) && !OF_SLOWNESS.has(one.code) && !isOfStatement(one)
  })
}

/** Whether a statement was stopped for taking too long (`statement_timeout`), or by an operator. */
export function isCanceled(error: unknown): boolean {
  return withCauses(error).find(isSqlError)?.code === '57014'
}

function withCauses(error: unknown): Error[] {
  const errors: Error[] = []
  for (let one = error; one instanceof Error && errors.length <= MAX_CAUSES; one = one.cause) errors.push(one)
  return errors
}

/** An answer of the server's. */
export function isSqlError(error: unknown): error is Error & { readonly code: string } {
  return error instanceof Error && SQLSTATE.test(codeOf(error) ?? '')
}

/** The server has answered that it did not do it, and the connection is as good as before. */
export function isRefusal(error: unknown): boolean {
  return isSqlError(error) && !/^(08|57|58|25P03|40003|XX)/.test(error.code)
}

function codeOf(error: Error): string | undefined {
  return 'code' in error && typeof error.code === 'string' ? error.code : undefined
}
