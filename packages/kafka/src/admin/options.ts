/** How long an admin call may take. */
export interface AdminCallOptions {
  /** From 1. Default 30,000. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

export const defaultAdminTimeoutMs = 30_000
