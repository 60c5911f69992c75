import { ClosedError } from '@sluice/flow'
import { ConnectionError, ProtocolError, RequestTimeoutError } from '../errors.ts'
import type { Api } from './answer.ts'
import { BrokerConnection } from './broker-connection.ts'
import { requestFailure } from './failures.ts'
import type { Address } from './connect-options.ts'
import { isLibraryLoaded, library, loadLibrary } from './library.ts'
import type { ConnectionsOptions } from './connections-options.ts'

/** Requests on one connection are answered in order, so what may wait long must not share one with what may not. */
export type Role = 'control' | 'admin' | 'coordinator' | 'fetch' | 'produce' | 'transaction'

/**
 * A request of these has its connection to itself while it is in flight: a fetch waits for records, and what is written in a
 * transaction for the coordinator of the transaction (KIP-890), for as long as that is away.
 */
const exclusive: ReadonlySet<Role> = new Set(['fetch', 'transaction'])

/** After so many hang-ups in a row on the same request, each the first of a fresh connection, it is the request. */
const maxHangups = 10

/** The TCP connections to all brokers, by role: made when first used, dropped when they break. */
export class Connections {
  readonly #options: ConnectionsOptions
  readonly #bootstrap: ReadonlySet<string>
  readonly #pools = new Map<string, BrokerConnection[]>()
  readonly #hangups = new Map<string, number>()
  /** Out of their pools, with requests still in flight. */
  readonly #retired = new Set<BrokerConnection>()
  /** The most that a fetch has asked for. */
  #fetchBytes = 0
  #closed = false

  constructor(options: ConnectionsOptions) {
    this.#options = options
    this.#bootstrap = new Set(options.bootstrap.map(({ host, port }) => `${host}:${port}`))
  }

  /**
   * Sends one request. An answer with errors in it is an answer: its error codes are the caller's to look at.
   * @throws ConnectionError, RequestTimeoutError, ProtocolError, AuthenticationError, UnsupportedBrokerError, ClosedError
   */
  async request<Args extends unknown[], Answer>(
    role: Role,
    to: Address,
    name: string,
    api: Api<Args, Answer>,
    ...args: Args
  ): Promise<Answer> {
    return await this.#with(role, to, name, async (connection) => {
      const answer = await api.call(connection.wire, ...args)
      connection.hasAnswered = true
      this.#hangups.delete(`${name}@${connection.address}`)
      return answer
    })
  }

  /** Sends one request that is not answered: resolves when its bytes have left this process. Throws as `request`. */
  async send<Args extends unknown[]>(
    role: Role,
    to: Address,
    name: string,
    api: Api<Args, unknown>,
    ...args: Args
  ): Promise<void> {
    const { clock, requestTimeoutMs } = this.#options
    await this.#with(role, to, name, async (connection) => {
      await api.call(connection.wire, ...args)
      let late: Error | undefined
      const timer = clock.setTimeout(() => {
        late = new RequestTimeoutError(connection.address, name, requestTimeoutMs)
        connection.destroy()
      }, requestTimeoutMs)
      await connection
        .written()
        .catch((error: unknown) => {
          throw late ?? new (library().NetworkError)('Connection closed', { cause: error as Error })
        })
        .finally(() => timer.cancel())
    })
  }

  /** Makes room for the answer to a fetch of this many bytes. */
  expectFetch(maxBytes: number): void {
    this.#fetchBytes = Math.max(this.#fetchBytes, maxBytes)
  }

  inspect(): { readonly connections: Readonly<Record<string, number>> } {
    const entries = [...this.#pools].map(([pool, connections]) => [pool, connections.length] as const)
    return { connections: Object.fromEntries(entries.filter(([, count]) => count > 0)) }
  }

  /** Requests in flight are rejected. A connection that does not end by itself within `graceMs` is broken off. */
  async close(graceMs?: number): Promise<void> {
    this.#closed = true
    const all = [...[...this.#pools.values()].flat(), ...this.#retired]
    this.#pools.clear()
    this.#retired.clear()
    await Promise.all(all.map((connection) => connection.close(graceMs)))
  }

  async #with<Answer>(
    role: Role,
    to: Address,
    name: string,
    exchange: (connection: BrokerConnection) => Promise<Answer>,
  ): Promise<Answer> {
    if (!isLibraryLoaded()) await loadLibrary()
    if (this.#closed) throw new ClosedError('the connection to the cluster')
    const connection = this.#take(role, to)
    let connected = false
    try {
      await connection.ready
      connected = true
      return await exchange(connection)
    } catch (error) {
      throw connected ? this.#requestFailure(error, name, connection) : error
    } finally {
      connection.inFlight--
      if (this.#retired.has(connection)) this.#endRetired(connection)
    }
  }

  #take(role: Role, to: Address): BrokerConnection {
    const address = `${to.host}:${to.port}`
    const key = `${role} ${address}`
    const pool = this.#pool(key)
    let connection = pool.find((one) => one.isUsable && (!exclusive.has(role) || one.inFlight === 0))
    if (!connection) {
      connection = this.#open(to, address, key, pool)
      pool.push(connection)
    }
    connection.inFlight++
    return connection
  }

  #pool(key: string): BrokerConnection[] {
    let pool = this.#pools.get(key)
    if (!pool) this.#pools.set(key, (pool = []))
    return pool
  }

  #open(to: Address, address: string, key: string, pool: BrokerConnection[]): BrokerConnection {
    const drop = (): void => {
      const index = pool.indexOf(connection)
      // Told more than once; a new pool may stand in the place of this one by then.
      if (index < 0) return
      pool.splice(index, 1)
      if (pool.length === 0) this.#pools.delete(key)
    }
    const target = { address, advertised: !this.#bootstrap.has(address), tls: this.#options.tls !== undefined }
    const connection: BrokerConnection = new BrokerConnection(to, target, this.#options, {
      maxAnswerBytes: () => this.#options.maxResponseBytes + this.#fetchBytes,
      onGone: drop,
      onSessionEnding: () => {
        drop()
        this.#retired.add(connection)
        this.#endRetired(connection)
      },
    })
    return connection
  }

  /** A request that the broker cannot parse makes it hang up: without a bound it would be sent for ever. */
  #requestFailure(error: unknown, api: string, connection: BrokerConnection): Error {
    const { address, advertised, tls } = connection
    const call = { address, advertised, tls, api, timeoutMs: this.#options.requestTimeoutMs }
    const failure = requestFailure(error, call, connection.causeOf(error))
    // A connection that has answered before, or took others down with it, was broken by something else.
    if (!(failure instanceof ConnectionError) || connection.hasAnswered || connection.isBlamed || this.#closed) {
      return failure
    }
    connection.isBlamed = true
    const key = `${api}@${address}`
    const hangups = (this.#hangups.get(key) ?? 0) + 1
    this.#hangups.set(key, hangups)
    if (hangups < maxHangups) return failure
    this.#hangups.delete(key)
    const message = `${failure.message}; so it was ${hangups} times in a row, each time on a fresh connection`
    return new ProtocolError(address, api, message, failure.cause)
  }

  #endRetired(connection: BrokerConnection): void {
    if (connection.inFlight > 0) return
    this.#retired.delete(connection)
    void connection.close()
  }
}
