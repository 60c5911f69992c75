/** What an answer says of partitions, to be found by topic and partition without a search through all for each. */
export class ByPlace<Item extends { readonly topic: string; readonly partition: number }> {
  readonly #topics = new Map<string, Map<number, Item>>()

  constructor(items: readonly Item[]) {
    for (const item of items) {
      let partitions = this.#topics.get(item.topic)
      if (partitions === undefined) this.#topics.set(item.topic, (partitions = new Map<number, Item>()))
      partitions.set(item.partition, item)
    }
  }

  get(topic: string, partition: number): Item | undefined {
    return this.#topics.get(topic)?.get(partition)
  }
}
