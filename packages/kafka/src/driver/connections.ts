import { Connection, NetworkError, ResponseError, type API } from '@platformatic/kafka'
import { ClosedError, type Clock } from '@sluice/flow'
import { isIP } from 'node:net'
import type { ConnectionOptions as TlsOptions } from 'node:tls'
import { ConnectionError, ProtocolError, UnsupportedBrokerError } from '../errors.ts'
import { missingApis } from './apis/versions.ts'
import { connectFailure, notConnected, requestFailure, type Target } from './failures.ts'
import { saslOf } from './sasl.ts'
import { freeWrittenRequests } from './written-requests.ts'

/** Requests on one connection are answered in order, so what may wait long must not share one with what may not. */
export type Role = 'control' | 'admin' | 'coordinator' | 'fetch' | 'produce'

export interface Address {
  readonly host: string
  readonly port: number
}

export interface ConnectionsOptions {
  /** Where the cluster is looked for at first: any other address is one that the cluster advertises. */
  readonly bootstrap: readonly Address[]
  readonly clientId: string
  readonly connectTimeoutMs: number
  readonly requestTimeoutMs: number
  readonly tls?: TlsOptions | undefined
  readonly sasl?: SaslOptions | undefined
  readonly clock: Clock
}

export interface SaslOptions {
  readonly mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512' | 'OAUTHBEARER'
  readonly username?: string
  readonly password?: string
  /** For OAUTHBEARER: asked for every session, again before it ends; has 80 % of `connectTimeoutMs` to answer. */
  readonly token?: string | (() => string | Promise<string>)
}

/** After so many hang-ups in a row on the same request, each the first of a fresh connection, it is the request. */
const maxHangups = 10

/** How long a connection gets to end by itself when it is closed. */
const closeGraceMs = 500

/**
 * Ends a SASL session where the library would renew it: its renewal lets other requests in between, which the broker
 * then refuses. Called by the library's timer when 80 % of the session are over.
 */
class SessionConnection extends Connection {
  onSessionEnding: () => void = () => {}

  override reauthenticate(): void {
    this.onSessionEnding()
  }
}

interface Pooled extends Target {
  readonly connection: SessionConnection
  ready: Promise<void>
  inFlight: number
  /** Anything but the greeting of a new connection. */
  hasAnswered: boolean
  /** Its end was counted against a request. */
  isBlamed: boolean
}

/** The TCP connections to all brokers, by role: made when first used, dropped when they break. */
export class Connections {
  readonly #options: ConnectionsOptions
  readonly #bootstrap: ReadonlySet<string>
  readonly #pools = new Map<string, Pooled[]>()
  readonly #hangups = new Map<string, number>()
  /** Out of their pools, with requests still in flight. */
  readonly #retired = new Set<Pooled>()
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
    api: API<Args, Answer>,
    ...args: Args
  ): Promise<Answer> {
    if (this.#closed) throw new ClosedError('the connection to the cluster')
    const pooled = this.#take(role, to)
    let connected = false
    try {
      await pooled.ready
      connected = true
      const answer = await api.async(pooled.connection, ...args).catch(withErrorsInIt<Answer>)
      pooled.hasAnswered = true
      this.#hangups.delete(`${name}@${pooled.address}`)
      return answer
    } catch (error) {
      throw connected ? this.#requestFailure(error, name, pooled) : error
    } finally {
      pooled.inFlight--
      if (this.#retired.has(pooled)) this.#endRetired(pooled)
    }
  }

  inspect(): { readonly connections: Readonly<Record<string, number>> } {
    const entries = [...this.#pools].map(([pool, connections]) => [pool, connections.length] as const)
    return { connections: Object.fromEntries(entries.filter(([, count]) => count > 0)) }
  }

  /** Requests in flight are rejected. A connection that does not end by itself within `graceMs` is broken off. */
  async close(graceMs: number = closeGraceMs): Promise<void> {
    this.#closed = true
    const all = [...[...this.#pools.values()].flat(), ...this.#retired]
    this.#pools.clear()
    this.#retired.clear()
    await Promise.all(all.map((pooled) => this.#hangUp(pooled, Math.min(graceMs, closeGraceMs))))
  }

  /** A connection that waits for a fetch is not shared: the next fetch takes another. */
  #take(role: Role, to: Address): Pooled {
    const address = `${to.host}:${to.port}`
    const key = `${role} ${address}`
    const pool = this.#pool(key)
    let pooled = pool.find((one) => isUsable(one.connection) && (role !== 'fetch' || one.inFlight === 0))
    if (!pooled) {
      pooled = this.#open(to, address, key, pool)
      pool.push(pooled)
    }
    pooled.inFlight++
    return pooled
  }

  #pool(key: string): Pooled[] {
    let pool = this.#pools.get(key)
    if (!pool) this.#pools.set(key, (pool = []))
    return pool
  }

  #open(to: Address, address: string, key: string, pool: Pooled[]): Pooled {
    const { clientId, connectTimeoutMs, requestTimeoutMs, tls, sasl } = this.#options
    // An address is no name of a server (RFC 6066).
    const serverName = tls?.servername ?? (tls && isIP(to.host) === 0 ? to.host : undefined)
    const connection = new SessionConnection(clientId, {
      connectTimeout: connectTimeoutMs,
      requestTimeout: requestTimeoutMs,
      // How many may be in flight is decided by those who send.
      maxInflights: 1_000,
      ...(tls && { tls }),
      ...(serverName !== undefined && { tlsServerName: serverName }),
      ...(sasl && { sasl: saslOf(sasl, address, connectTimeoutMs, this.#options.clock) }),
    })
    const pooled: Pooled = {
      connection,
      address,
      advertised: !this.#bootstrap.has(address),
      ready: Promise.resolve(),
      inFlight: 0,
      hasAnswered: false,
      isBlamed: false,
    }
    const drop = (): void => {
      const index = pool.indexOf(pooled)
      // Told more than once; a new pool may stand in the place of this one by then.
      if (index < 0) return
      pool.splice(index, 1)
      if (pool.length === 0) this.#pools.delete(key)
    }
    // A raw connection without a listener for its errors would end the process.
    connection.on('error', drop)
    connection.on('close', drop)
    connection.on('closing', drop)
    connection.onSessionEnding = () => {
      drop()
      this.#retired.add(pooled)
      this.#endRetired(pooled)
    }
    pooled.ready = this.#connect(pooled, to)
    pooled.ready.catch(drop)
    return pooled
  }

  async #connect(target: Pooled, to: Address): Promise<void> {
    const { connection, address } = target
    const { connectTimeoutMs, clock } = this.#options
    let silent: ConnectionError | undefined
    // Requests are told only that the connection closed, not why: that a broker misses a certificate comes as an event.
    let broken: Error | undefined
    connection.on('error', (error) => (broken ??= error))
    try {
      await connection.connect(to.host, to.port)
      freeWrittenRequests(connection.socket)
      // A frozen broker accepts connections (its kernel does) but says nothing.
      const silence = clock.setTimeout(() => {
        silent = notConnected(target, `${address} took the connection but did not answer within ${connectTimeoutMs} ms`)
        connection.socket.destroy()
      }, connectTimeoutMs)
      const missing = await missingApis(connection).finally(() => silence.cancel())
      if (missing.length > 0) throw new UnsupportedBrokerError(address, missing)
    } catch (error) {
      void connection.close()
      throw silent ?? connectFailure(isClosed(error) ? (broken ?? error) : error, target, connectTimeoutMs)
    }
  }

  /** A request that the broker cannot parse makes it hang up: without a bound it would be sent for ever. */
  #requestFailure(error: unknown, api: string, pooled: Pooled): Error {
    const { address, advertised } = pooled
    const failure = requestFailure(error, { address, advertised, api, timeoutMs: this.#options.requestTimeoutMs })
    // A connection that has answered before, or took others down with it, was broken by something else.
    if (!(failure instanceof ConnectionError) || pooled.hasAnswered || pooled.isBlamed || this.#closed) return failure
    pooled.isBlamed = true
    const key = `${api}@${address}`
    const hangups = (this.#hangups.get(key) ?? 0) + 1
    this.#hangups.set(key, hangups)
    if (hangups < maxHangups) return failure
    this.#hangups.delete(key)
    const message = `${address} hung up on ${api} ${hangups} times in a row, each time on a fresh connection`
    return new ProtocolError(address, api, message, failure.cause)
  }

  #endRetired(pooled: Pooled): void {
    if (pooled.inFlight > 0) return
    this.#retired.delete(pooled)
    void this.#hangUp(pooled)
  }

  async #hangUp({ connection }: Pooled, graceMs = closeGraceMs): Promise<void> {
    const impatient = this.#options.clock.setTimeout(() => connection.socket?.destroy(), graceMs)
    await connection.close().finally(() => impatient.cancel())
  }
}

/** The library rejects an answer that has any error code in it, and hangs the answer on the error. */
function withErrorsInIt<Answer>(error: unknown): Answer {
  if (error instanceof ResponseError) return error['response'] as Answer
  throw error
}

function isClosed(error: unknown): boolean {
  return error instanceof NetworkError && error.cause === undefined
}

/** One whose request timed out is being destroyed before it tells so. */
function isUsable({ status }: Connection): boolean {
  return status !== 'closing' && status !== 'closed' && status !== 'error'
}
