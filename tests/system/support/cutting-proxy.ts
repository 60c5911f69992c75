import type { Socket } from 'node:net'
import { TcpProxy } from './tcp-proxy.ts'

/**
 * What becomes of a COMMIT: it passes, its answer does not come back, it does not arrive, or it arrives when the client
 * has been cut off and may have asked already what became of it.
 */
export type Fate = 'pass' | 'cut the answer' | 'cut the request' | 'delay the request'

/** A TCP proxy before PostgreSQL that breaks connections around COMMIT. */
export class CuttingProxy extends TcpProxy {
  /** Asked with every COMMIT, whether its transaction has said `mark`. */
  fate: (isMarked: boolean) => Fate = () => 'pass'
  /** A part of a statement. */
  mark = 'COMMIT'
  readonly cuts: Record<Fate, number> = { 'cut the answer': 0, 'cut the request': 0, 'delay the request': 0, pass: 0 }
  /** Asked with every COMMIT that is to arrive late. */
  delayMs: () => number = () => 20

  static async open(serverPort: number): Promise<CuttingProxy> {
    return await new CuttingProxy(serverPort).listening(0)
  }

  protected join(client: Socket, server: Socket): void {
    let isLate = false
    const cut = (): void => {
      client.destroy()
      if (!isLate) server.destroy()
    }
    for (const socket of [client, server]) socket.on('error', cut).on('close', cut)
    let isDoomed = false
    let isMarked = false
    client.on('data', (chunk: Buffer) => {
      isMarked ||= chunk.includes(this.mark)
      if (chunk.includes('COMMIT\0')) {
        const fate = this.fate(isMarked)
        isMarked = false
        this.cuts[fate]++
        if (fate === 'cut the request') return cut()
        if (fate === 'delay the request') {
          isLate = true
          setTimeout(() => server.end(chunk), this.delayMs())
          return cut()
        }
        isDoomed = fate === 'cut the answer'
      }
      server.write(chunk)
    })
    server.on('data', (chunk: Buffer) => (isDoomed || isLate ? cut() : client.write(chunk)))
  }
}
