import { partitionList } from './arguments.ts'

/** A topic, or some partitions of it. */
export interface Selection {
  readonly topic: string
  /** Undefined: all. */
  readonly partitions: readonly number[] | undefined
}

/** `orders`, `orders:0,2-5`; added to those of earlier options of the same name. */
export function parseSelection(text: string, earlier: readonly Selection[] = []): readonly Selection[] {
  const [topic = '', partitions] = text.split(':')
  return [...earlier, { topic, partitions: partitions === undefined ? undefined : partitionList(partitions) }]
}

/** Whether a partition is one of these. */
export function isSelected(selected: readonly Selection[]) {
  return (place: { readonly topic: string; readonly partition: number }): boolean =>
    selected.some(({ topic, partitions }) => topic === place.topic && (partitions?.includes(place.partition) ?? true))
}
