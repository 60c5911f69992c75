/** How long an admin call may take. */
export interface AdminCallOptions {
  /** How long the call may take in all, waits included. From 1, default 30,000. Kafka: `default.api.timeout.ms`. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

export const defaultAdminTimeoutMs = 30_000

/** How long a survey waits for a broker that does not answer. */
export interface SurveyOptions {
  /** From 1, in milliseconds: what only this broker knows is then reported as unknown. Default 2,000. */
  readonly silentMs?: number
  readonly signal?: AbortSignal
}
