/** Whether a broker refused something with this of Kafka's names, such as `GROUP_ID_NOT_FOUND`. */
export function isRefused(error: unknown, apiError: string): boolean {
  return error instanceof Error && (error as { apiError?: unknown }).apiError === apiError
}
