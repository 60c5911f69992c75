import { ConfigError, SluiceError, systemClock } from '@sluice/flow'
import { messageOf } from '@sluice/flow/internal'
import pino, { type Logger } from 'pino'
import type { ServiceConfig } from '../config/config.ts'
import type { Variables } from '../config/environment.ts'
import { type HttpServer, serveHttp } from './http.ts'
import { Metrics } from './metrics.ts'
import { every } from './poll.ts'
import { reportMessage, type Facts, type ServiceName, type ServiceReport, type ServiceState } from './report.ts'
import { Reporter } from './reporter.ts'

/** Exit codes of the programs. */
export const EXIT = Object.freeze({ ok: 0, failed: 1, badConfig: 2, forced: 130 })

const REPORT_INTERVAL_MS = 1_000

export interface ServiceContext {
  readonly log: Logger
  readonly metrics: Metrics
  /** Aborted when the program is to stop. */
  readonly signal: AbortSignal
  /** Sends a report now instead of with the next tick. */
  readonly report: () => void
}

/** What a program runs between its start and its stop. */
export interface Service {
  facts(): Facts
  /** Resolves when the work is done (a job), rejects when it cannot go on; never, where it runs until it is stopped. */
  readonly done: Promise<void>
  /** Stops the intake, drains, and leaves nothing half done. */
  close(): Promise<void>
}

export interface Program<Config extends ServiceConfig> {
  readonly name: ServiceName
  readonly parse: (variables: Variables) => Config
  readonly open: (config: Config, context: ServiceContext) => Promise<Service>
}

/**
 * Runs a program of the service to its end: configuration from the environment, logs to standard output, HTTP for
 * probes and metrics, a report once a second to a supervisor that speaks IPC, and a graceful stop on SIGTERM, SIGINT or
 * when the supervisor is gone. A second signal ends it at once.
 */
export async function runService<Config extends ServiceConfig>(
  program: Program<Config>,
  variables: Variables = process.env,
): Promise<void> {
  const code = await runToTheEnd(program, variables)
  // An open channel would keep the process alive. After a failure something else may, which is not waited for.
  if (code !== EXIT.ok) process.exit(code)
  if (process.connected) process.disconnect()
}

async function runToTheEnd<Config extends ServiceConfig>(
  program: Program<Config>,
  variables: Variables,
): Promise<number> {
  try {
    const config = program.parse(variables)
    const log = pino({ name: program.name, level: config.logLevel, base: { pid: process.pid } })
    return await new Running(program, config, log).run()
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    process.stderr.write(`${program.name}: ${error.message}\n`)
    return EXIT.badConfig
  }
}

class Running<Config extends ServiceConfig> {
  readonly #program: Program<Config>
  readonly #config: Config
  readonly #log: Logger
  readonly #metrics = new Metrics()
  readonly #stop = new AbortController()
  #state: ServiceState = 'starting'
  #service: Service | undefined
  #http: HttpServer | undefined
  readonly #reporter = new Reporter<ServiceReport>({
    read: () => (process.connected ? this.#currentReport() : undefined),
    // An error tells that the supervisor is about to end, as `disconnect` does.
    send: (report, onSent) => void process.send?.(reportMessage(report), undefined, undefined, onSent),
  })

  constructor(program: Program<Config>, config: Config, log: Logger) {
    this.#program = program
    this.#config = config
    this.#log = log
  }

  /** @returns the exit code */
  async run(): Promise<number> {
    const unlisten = this.#listen()
    const endReports = every(REPORT_INTERVAL_MS, () => this.#reporter.tick())
    try {
      await this.#work()
      return EXIT.ok
    } catch (error) {
      if (this.#stop.signal.aborted && error === this.#stop.signal.reason) return EXIT.ok
      if (error instanceof ConfigError) throw error
      this.#log.fatal({ err: error }, messageOf(error))
      return EXIT.failed
    } finally {
      this.#state = 'stopped'
      await this.#reporter.finish()
      await this.#http?.close()
      endReports()
      unlisten()
      this.#log.info('stopped')
    }
  }

  async #work(): Promise<void> {
    const { http } = this.#config
    this.#http = await serveHttp({ ...http, metrics: this.#metrics, notReady: () => this.#notReady() })
    this.#reporter.tick()
    const context = {
      log: this.#log,
      metrics: this.#metrics,
      signal: this.#stop.signal,
      report: () => this.#reporter.tick(),
    }
    const service = await Promise.race([this.#program.open(this.#config, context), aborted(this.#stop.signal)])
    // Stopped before anything had begun; what is being opened may wait for a server that does not answer.
    if (service === undefined) return await this.#leaveEarly()
    this.#service = service
    this.#log.info({ url: this.#http.url }, 'running')
    this.#state = 'running'
    try {
      await Promise.race([service.done, aborted(this.#stop.signal)])
    } catch (error) {
      await this.#closeInTime(service).catch((failure: unknown) =>
        this.#log.error({ err: failure }, 'the failed service could not be closed'),
      )
      throw error
    }
    await this.#closeInTime(service)
  }

  async #leaveEarly(): Promise<never> {
    this.#state = 'stopped'
    await this.#reporter.finish()
    this.#log.info('stopped')
    process.exit(EXIT.ok)
  }

  async #closeInTime(service: Service): Promise<void> {
    this.#state = 'stopping'
    const { stopTimeoutMs } = this.#config
    const given = new AbortController()
    const late = systemClock.sleep(stopTimeoutMs, given.signal).then(
      () => Promise.reject(new StopTimeoutError(stopTimeoutMs)),
      () => undefined,
    )
    await Promise.race([service.close(), late]).finally(() => given.abort())
  }

  #notReady(): string | undefined {
    if (this.#state !== 'running') return this.#state
    return this.#service?.facts().waitingFor
  }

  #currentReport(): ServiceReport {
    const facts = this.#service?.facts() ?? { counters: {} }
    return { ...facts, service: this.#program.name, state: this.#state, url: this.#http?.url }
  }

  #listen(): () => void {
    let signals = 0
    const onSignal = (signal: string): void => {
      // Where the supervisor ended, both its guard's signal and the broken channel tell so: that is one request.
      if (++signals > 1) {
        this.#log.warn({ signal }, 'stopped at once')
        process.exit(EXIT.forced)
      }
      this.#log.info({ signal }, 'stopping')
      this.#stop.abort()
    }
    const onDisconnect = (): void => {
      this.#log.info('stopping: the supervisor is gone')
      this.#stop.abort()
    }
    process.on('SIGTERM', onSignal).on('SIGINT', onSignal).on('disconnect', onDisconnect)
    return () => {
      process.off('SIGTERM', onSignal).off('SIGINT', onSignal).off('disconnect', onDisconnect)
    }
  }
}

/** The graceful stop took longer than it may. */
export class StopTimeoutError extends SluiceError<'stop_timed_out'> {
  constructor(timeoutMs: number) {
    super('stop_timed_out', `the graceful stop was not done within ${timeoutMs} ms`, { facts: { timeoutMs } })
  }
}

/** The `done` of a service that runs until it is stopped. */
export function never(): Promise<never> {
  return new Promise(() => undefined)
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}
