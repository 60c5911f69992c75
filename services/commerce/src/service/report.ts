/** What a program tells its supervisor once a second over IPC, and how the demo draws it. */
export interface ServiceReport {
  readonly service: ServiceName
  readonly state: ServiceState
  /** What it waits for, where it does. */
  readonly waitingFor?: string | undefined
  /** Where /healthz, /readyz and /metrics are. */
  readonly url?: string | undefined
  /** They only grow while the process lives. */
  readonly counters: Readonly<Record<string, number>>
  readonly queue?: QueueReport | undefined
  /** Records in the topics that were not handled and committed yet. Absent while it is unknown. */
  readonly lag?: number | undefined
  readonly cache?: { readonly users: number; readonly products: number } | undefined
  readonly rows?: { readonly users: number; readonly products: number; readonly orders: number } | undefined
}

export type ServiceName = 'seeder' | 'cache-worker' | 'generator' | 'consumer'
export type ServiceState = 'starting' | 'running' | 'stopping' | 'stopped'

/** The producer's queue: records that were accepted and not yet settled. */
export interface QueueReport {
  readonly records: number
  readonly maxRecords: number
  readonly highWatermark: number
  readonly lowWatermark: number
  readonly throttled: boolean
}

/** The part of a report that a service itself knows. */
export type Facts = Omit<ServiceReport, 'service' | 'state' | 'url'>

const REPORT_TYPE = 'sluice.commerce.report'

export interface ReportMessage {
  readonly type: typeof REPORT_TYPE
  readonly report: ServiceReport
}

export function reportMessage(report: ServiceReport): ReportMessage {
  return { type: REPORT_TYPE, report }
}

export function isReportMessage(message: unknown): message is ReportMessage {
  return typeof message === 'object' && message !== null && 'type' in message && message.type === REPORT_TYPE
}
