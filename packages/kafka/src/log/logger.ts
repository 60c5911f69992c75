import { Console } from 'node:console'
import { ConfigError } from '@sluice/flow'

/** The levels of a logger, as pino and others have them. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

/** The facts of a line. `event` is its kind, `err` the error where there is one. */
export type LogFacts = Readonly<Record<string, unknown>>

/** What `new Kafka({ logger })` takes: pino's form, facts before the message. A `Console` is taken as well. */
export type Logger = Readonly<Record<LogLevel, (facts: LogFacts, message: string) => void>>

const levels: readonly LogLevel[] = ['debug', 'info', 'warn', 'error']

/** @throws ConfigError where a method is missing */
export function parseLogger(logger: Logger | Console | undefined): Logger | undefined {
  if (logger === undefined) return undefined
  for (const level of levels) {
    const isThere = typeof logger === 'object' && logger !== null && typeof logger[level] === 'function'
    if (!isThere) throw new ConfigError('logger', logger, `a logger with the methods ${levels.join(', ')}`)
  }
  return isConsole(logger) ? ofConsole(logger) : logger
}

/** A console prints its arguments in their order: the message comes first there. */
function ofConsole(to: Console): Logger {
  const print = (level: LogLevel) => (facts: LogFacts, message: string) => to[level](message, facts)
  return { debug: print('debug'), info: print('info'), warn: print('warn'), error: print('error') }
}

function isConsole(logger: Logger | Console): logger is Console {
  return logger === console || logger instanceof Console
}
