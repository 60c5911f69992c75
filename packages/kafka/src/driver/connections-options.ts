import type { Clock } from '@sluice/flow'
import type { ConnectionOptions as TlsOptions } from 'node:tls'
import type { Address, SaslOptions } from './connect-options.ts'

export interface ConnectionsOptions {
  /** Where the cluster is looked for at first: any other address is one that the cluster advertises. */
  readonly bootstrap: readonly Address[]
  readonly clientId: string
  readonly connectTimeoutMs: number
  readonly requestTimeoutMs: number
  /** Of one answer, beyond what a fetch asks for. */
  readonly maxResponseBytes: number
  readonly tls?: TlsOptions | undefined
  readonly sasl?: SaslOptions | undefined
  readonly clock: Clock
}
