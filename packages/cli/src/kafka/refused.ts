/** Whether a broker refused something with this of Kafka's names, such as `GROUP_ID_NOT_FOUND`. */
export function isRefused(error: unknown, apiError: string): boolean {
  return error instanceof Error && (error as { apiError?: unknown }).apiError === apiError
}

/** Whether a broker refused something for good: it is not there, or this user may not see it. */
export function isRefusedForGood(error: Error): boolean {
  const { apiError, retriable } = error as { apiError?: unknown; retriable?: unknown }
  return apiError === 'UNKNOWN_TOPIC_OR_PARTITION' || (apiError !== undefined && retriable === false)
}
