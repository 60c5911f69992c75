export const anomalies = [
  'lost',
  'duplicate',
  'aborted read',
  'reorder',
  'gap',
  'torn transaction',
  'unhandled',
  'phantom',
  'misplaced',
] as const

/**
 * - `lost`: acknowledged or committed, and not in the log.
 * - `duplicate`: in the log twice, or handled twice where once was promised.
 * - `aborted read`: refused or aborted, and yet in the log or handled.
 * - `reorder`: in the log in another order than it was sent by its producer, or handled in another than in the log.
 * - `gap`: committed past a record that had not been handled.
 * - `torn transaction`: a part of it is in the log. Its witness is the transaction.
 * - `unhandled`: in the log, and handled by nobody.
 * - `phantom`: nobody sent it, or it was handled and is not in the log. Its witness is the row or the record.
 * - `misplaced`: in another partition, or at another offset, than was acknowledged.
 */
export type Anomaly = (typeof anomalies)[number]

/** What a check found: of each anomaly the records (or transactions) that show it. */
export class Verdict {
  readonly #witnesses = new Map<Anomaly, number[]>()

  add(anomaly: Anomaly, witness: number): void {
    const known = this.#witnesses.get(anomaly)
    if (known) known.push(witness)
    else this.#witnesses.set(anomaly, [witness])
  }

  get isSound(): boolean {
    return this.#witnesses.size === 0
  }

  witnesses(anomaly: Anomaly): readonly number[] {
    return this.#witnesses.get(anomaly) ?? []
  }

  /** A sentence for each anomaly that was found; `describe` names a witness in the words of the run. */
  sentences(describe: (witness: number, anomaly: Anomaly) => string = String): string[] {
    return [...this.#witnesses].map(([anomaly, found]) => {
      const samples = found.slice(0, 3).map((witness) => describe(witness, anomaly))
      return `${anomaly}: ${found.length}, such as ${samples.join(', ')}`
    })
  }
}
