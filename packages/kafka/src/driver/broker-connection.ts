import type { Connection } from '@platformatic/kafka'
import type { Timer } from '@sluice/flow'
import { isIP } from 'node:net'
import { TokenError, UnsupportedBrokerError } from '../errors.ts'
import { missingApis } from './apis/versions.ts'
import type { ConnectionsOptions } from './connections-options.ts'
import type { Address } from './connect-options.ts'
import { connectFailure, notConnected, type Target } from './failures.ts'
import { guardFrames, type FrameLimit } from './frame-guard.ts'
import { library } from './library.ts'
import { logIn } from './login.ts'
import { WrittenRequests } from './written-requests.ts'

/** How long a connection gets to end by itself when it is closed. */
const closeGraceMs = 500

/** The largest answer before the login is over, in bytes: some hundred versions of APIs take 1 kB. */
const maxGreetingBytes = 1_048_576

/** After this part of its life a SASL session is replaced. */
const sessionShare = 0.8

export interface BrokerConnectionHooks {
  /** How large an answer may be once the connection is ready, in bytes. */
  readonly maxAnswerBytes: () => number
  /** It takes no more requests: it broke, or is being closed. May be called more than once. */
  readonly onGone: () => void
  /** Its SASL session ends soon: those who hold it should use another. */
  readonly onSessionEnding: () => void
}

/** One TCP connection to one broker: connects, asks what the broker speaks, and logs in. */
export class BrokerConnection implements Target {
  readonly address: string
  readonly advertised: boolean
  readonly tls: boolean
  /** Rejects when the connection cannot be made. */
  readonly ready: Promise<void>
  /** The library's part: the framing of requests and answers. */
  readonly wire: Connection
  inFlight = 0
  /** Anything but the greeting of a new connection. */
  hasAnswered = false
  /** Its end was counted against a request. */
  isBlamed = false
  readonly #options: ConnectionsOptions
  readonly #hooks: BrokerConnectionHooks
  readonly #gone = new AbortController()
  #written: WrittenRequests | undefined
  #isReady = false
  /** Requests are told only that the connection closed, not why: that comes as an event. */
  #broken: Error | undefined
  #session: Timer | undefined

  constructor(to: Address, target: Target, options: ConnectionsOptions, hooks: BrokerConnectionHooks) {
    this.address = target.address
    this.advertised = target.advertised
    this.tls = target.tls
    this.#options = options
    this.#hooks = hooks
    this.wire = wireOf(to, options)
    const onGone = (): void => this.#onGone()
    // A raw connection without a listener for its errors would end the process.
    this.wire.on('error', (error) => {
      this.#broken ??= error
      onGone()
    })
    this.wire.on('close', onGone)
    this.wire.on('closing', onGone)
    this.ready = this.#connect(to)
    this.ready.catch(onGone)
  }

  /** One whose request timed out is being destroyed before it tells so. */
  get isUsable(): boolean {
    const { status, socket } = this.wire
    return status !== 'closing' && status !== 'closed' && status !== 'error' && !socket?.destroyed
  }

  /** Why the connection ended, where `error` says no more than that it did. */
  causeOf(error: unknown): unknown {
    return isClosed(error) ? (this.#broken ?? error) : error
  }

  /** Resolves when all requests so far have left this process. */
  written(): Promise<void> {
    return this.#written?.all() ?? Promise.resolve()
  }

  /** Ends it without waiting for anything. */
  destroy(error?: Error): void {
    this.wire.socket?.destroy(error)
  }

  /** Resolves when the socket is closed: one that does not end by itself within `graceMs` is broken off. Idempotent. */
  async close(graceMs = closeGraceMs): Promise<void> {
    this.#onGone()
    const { socket } = this.wire
    if (!socket || socket.closed) return
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
    const impatient = this.#options.clock.setTimeout(() => this.destroy(), Math.min(graceMs, closeGraceMs))
    // The library takes one that could not be made for closed, while its socket still waits for the other side.
    if (this.wire.status === 'error') this.destroy()
    else void this.wire.close()
    await closed.finally(() => impatient.cancel())
  }

  async #connect(to: Address): Promise<void> {
    const { connectTimeoutMs, clock } = this.#options
    let isConnected = false
    let late: Error | undefined
    // A frozen broker accepts connections (its kernel does) but says nothing.
    const silence = clock.setTimeout(() => {
      const what = isConnected ? 'took the connection but did not answer' : 'did not accept a connection'
      late = notConnected(this, `${this.address} ${what} within ${connectTimeoutMs} ms`)
      this.#gone.abort(late)
      this.destroy(late)
    }, connectTimeoutMs)
    try {
      await this.#openSocket(to)
      isConnected = true
      await this.#greet()
      this.#isReady = true
    } catch (error) {
      void this.close()
      // A token callback that hangs is the reason, not the broker that waits for it.
      if (error instanceof TokenError) throw error
      throw late ?? connectFailure(this.causeOf(error), this, connectTimeoutMs)
    } finally {
      silence.cancel()
    }
  }

  async #openSocket({ host, port }: Address): Promise<void> {
    let connected: Promise<void>
    try {
      connected = Promise.resolve(this.wire.connect(host, port))
    } catch (error) {
      // A port or a certificate that cannot be. The library waits for the end of its own time, unless it hears this.
      this.wire.emit('connect')
      throw error
    }
    const { socket } = this.wire
    const { tls } = this.#options
    // Called right behind the library's own listener, before there can be any data.
    socket.once(tls ? 'secureConnect' : 'connect', () => {
      guardFrames(socket, { limit: () => this.#frameLimit(), isPlain: !tls })
      this.#written = new WrittenRequests(socket)
    })
    await connected
  }

  #frameLimit(): FrameLimit {
    if (this.#isReady) return { maxBytes: this.#hooks.maxAnswerBytes(), hint: 'maxResponseBytes' }
    return { maxBytes: maxGreetingBytes, hint: 'no broker of Kafka greets like this' }
  }

  /** A broker tells what it speaks before the login, and nothing else. */
  async #greet(): Promise<void> {
    const { wire, address } = this
    const missing = await missingApis(wire)
    if (missing.length > 0) throw new UnsupportedBrokerError(address, missing)
    const { sasl, connectTimeoutMs, clock } = this.#options
    if (!sasl) return
    const lifeMs = await logIn(wire, { sasl, address, connectTimeoutMs, clock, signal: this.#gone.signal })
    if (lifeMs > 0 && !this.#gone.signal.aborted) {
      this.#session = clock.setTimeout(() => this.#hooks.onSessionEnding(), lifeMs * sessionShare)
    }
  }

  #onGone(): void {
    // It would keep a process alive that has closed everything.
    this.#session?.cancel()
    this.#gone.abort()
    this.#hooks.onGone()
  }
}

function wireOf(to: Address, { clientId, connectTimeoutMs, requestTimeoutMs, tls }: ConnectionsOptions): Connection {
  // An address is no name of a server (RFC 6066).
  const serverName = tls?.servername ?? (tls && isIP(to.host) === 0 ? to.host : undefined)
  const { Connection } = library()
  return new Connection(clientId, {
    connectTimeout: connectTimeoutMs,
    requestTimeout: requestTimeoutMs,
    // How many may be in flight is decided by those who send.
    maxInflights: 1_000,
    ...(tls && { tls }),
    ...(serverName !== undefined && { tlsServerName: serverName }),
  })
}

function isClosed(error: unknown): boolean {
  return error instanceof library().NetworkError && error.cause === undefined
}
