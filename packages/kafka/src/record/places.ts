/** A partition of a topic. */
export interface PartitionPlace {
  readonly topic: string
  readonly partition: number
}

/** A record, or a position, in a partition. */
export interface OffsetPlace extends PartitionPlace {
  readonly offset: number
}

/** For messages: `orders/0 at offset 7`. */
export function describePlace({ topic, partition, offset }: OffsetPlace): string {
  return `${topic}/${partition} at offset ${offset}`
}
