export interface PartitionPlace {
  readonly topic: string
  readonly partition: number
}

export interface OffsetPlace extends PartitionPlace {
  readonly offset: number
}

/** For messages: `orders/0 at offset 7`. */
export function describePlace({ topic, partition, offset }: OffsetPlace): string {
  return `${topic}/${partition} at offset ${offset}`
}
