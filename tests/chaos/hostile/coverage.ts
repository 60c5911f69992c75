/** Ranges of offsets by `topic/partition`, each from its first offset to the one behind its last. */
export type CoverageJson = Readonly<Record<string, ReadonlyArray<readonly [from: number, to: number]>>>

/** How often each offset of some partitions was seen. */
export class Coverage {
  readonly #counts = new Map<string, Map<number, number>>()

  static fromJson(json: CoverageJson): Coverage {
    const coverage = new Coverage()
    for (const [place, ranges] of Object.entries(json)) {
      const at = place.lastIndexOf('/')
      for (const [from, to] of ranges) coverage.addRange(place.slice(0, at), Number(place.slice(at + 1)), from, to)
    }
    return coverage
  }

  add(topic: string, partition: number, offset: number): void {
    const place = `${topic}/${partition}`
    let counts = this.#counts.get(place)
    if (counts === undefined) this.#counts.set(place, (counts = new Map()))
    counts.set(offset, (counts.get(offset) ?? 0) + 1)
  }

  addRange(topic: string, partition: number, from: number, to: number): void {
    for (let offset = from; offset < to; offset++) this.add(topic, partition, offset)
  }

  times(topic: string, partition: number, offset: number): number {
    return this.#counts.get(`${topic}/${partition}`)?.get(offset) ?? 0
  }

  get size(): number {
    return [...this.#counts.values()].reduce((sum, counts) => sum + counts.size, 0)
  }

  toJson(): CoverageJson {
    return Object.fromEntries([...this.#counts].map(([place, counts]) => [place, rangesOf(counts)]))
  }
}

function rangesOf(counts: ReadonlyMap<number, number>): [number, number][] {
  const ranges: [number, number][] = []
  for (const offset of [...counts.keys()].sort((a, b) => a - b)) {
    const last = ranges.at(-1)
    if (last?.[1] === offset) last[1] = offset + 1
    else ranges.push([offset, offset + 1])
  }
  return ranges
}
