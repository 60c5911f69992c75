import { randomInt } from 'node:crypto'
import { connect, createServer } from 'node:net'
import { StackError } from '../errors.ts'

/**
 * Where throw-away servers listen: below every system's range of ephemeral ports. A port from that range could be taken
 * by any outgoing connection while its server is down, even by a client's connection to itself.
 */
const randomPorts = { from: 15_000, to: 31_999 } as const

const startAttempts = 3

/** Hands out free ports of the loopback address, none of them twice. */
export class Ports {
  readonly #given = new Set<number>()

  /** The first free one of `preferred`, else a random one. */
  async take(preferred: readonly number[] = []): Promise<number> {
    for (const port of preferred) if (await this.#claim(port)) return port
    for (let attempt = 0; attempt < 200; attempt++) {
      const port = randomInt(randomPorts.from, randomPorts.to)
      if (await this.#claim(port)) return port
    }
    throw new StackError(
      'port_taken',
      'no free port was found on 127.0.0.1',
      'stop some of the servers that listen here',
    )
  }

  /** Exactly this port, or an error that names it. */
  async takeExactly(port: number, setting: string): Promise<number> {
    if (await this.#claim(port)) return port
    throw new StackError(
      'port_taken',
      `port ${port} is taken by another process`,
      `stop that process, or choose another port for ${setting}`,
      { facts: { port } },
    )
  }

  async #claim(port: number): Promise<boolean> {
    if (this.#given.has(port) || !(await isFree(port))) return false
    this.#given.add(port)
    return true
  }
}

/**
 * Runs a start that takes ports, again with others where one was snatched between our look at it and the server's.
 * A {@link Ports} gives none twice, so each attempt gets new ones.
 */
export async function withOtherPorts<T>(start: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await start()
    } catch (error) {
      if (attempt === startAttempts || !saysPortTaken(error)) throw error
    }
  }
}

/** Whether a server that did not start has said that its port is taken. */
function saysPortTaken(error: unknown): boolean {
  const isOfStart = error instanceof StackError && error.code === 'start_failed'
  return isOfStart && (error as { readonly isPortTaken?: unknown }).isPortTaken === true
}

/** Whether nobody listens on the port of the loopback address. */
export async function isFree(port: number): Promise<boolean> {
  // Both ways: some systems let us bind 127.0.0.1 beside a server that listens on every address.
  return !(await answers(port)) && (await canListen(port))
}

function canListen(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const server = createServer()
  server.once('error', () => resolve(false))
  server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)))
  return promise
}

function answers(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const socket = connect({ port, host: '127.0.0.1' })
  socket.setTimeout(500, () => socket.destroy())
  socket.once('connect', () => {
    resolve(true)
    socket.destroy()
  })
  socket.once('error', () => resolve(false))
  socket.once('close', () => resolve(false))
  return promise
}
