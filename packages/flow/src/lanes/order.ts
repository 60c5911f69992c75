import { requireOneOf } from '../require.ts'

/** One at a time and in order: all of a partition, all of a key within a partition, or nothing at all. */
export type Order = 'partition' | 'key' | 'unordered'

/** What names a lane. Undefined: a lane of its own for this item alone, so it waits for nobody. */
export type LaneKey = string | number | undefined

/** An item by its partition and its key. */
export interface Ordered {
  readonly partition: number
  /** Without a key an item is unordered where the order is by key. */
  readonly key?: string | null | undefined
}

/** The lane of an item under an order. */
export function laneOf(order: Order): (item: Ordered) => LaneKey {
  switch (requireOneOf('order', order, ['partition', 'key', 'unordered'])) {
    case 'partition':
      return ({ partition }) => partition
    case 'key':
      return ({ partition, key }) => (key === null || key === undefined ? undefined : `${partition}:${key}`)
    case 'unordered':
      return () => undefined
  }
}
