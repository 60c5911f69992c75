import type { Topic } from '@sluice/kafka'

export type RawTopic = Topic<Buffer | null, Buffer | null>

/** The topic as bytes: whatever is in it can be shown. */
export async function rawTopic(name: string): Promise<RawTopic> {
  const { bytes, topic } = await import('@sluice/kafka')
  return topic(name, { key: bytes, value: bytes })
}
