interface Entry {
  readonly timestampMs: number
  readonly partition: number
  readonly offset: number
  readonly text: string | Buffer
}

/** Keeps the newest of many records by their time, written out already. */
export class Newest {
  readonly #count: number
  #entries: Entry[] = []

  constructor(count: number) {
    this.#count = count
  }

  add(entry: Entry): void {
    this.#entries.push(entry)
    if (this.#entries.length >= this.#count * 2) this.#cut()
  }

  /** The oldest of them first. */
  texts(): (string | Buffer)[] {
    this.#cut()
    return this.#entries.map(({ text }) => text)
  }

  #cut(): void {
    this.#entries.sort(byTime)
    this.#entries = this.#count === 0 ? [] : this.#entries.slice(-this.#count)
  }
}

function byTime(a: Entry, b: Entry): number {
  return a.timestampMs - b.timestampMs || a.partition - b.partition || a.offset - b.offset
}
