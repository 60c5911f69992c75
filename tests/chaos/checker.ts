import { parseArgs } from 'node:util'
import { check } from './history/check.ts'
import { type Fault, faults } from './history/plant.ts'
import { sampleHandlings, sampleSends, toHistory } from './history/sample-run.ts'
import { type Proof, seededRandom } from './proof.ts'

export const checker: Proof = {
  title: 'the checker of histories itself: faults are planted, and every one has to be found',
  usage: 'checker [--records 1000000] [--planted 1000] [--seed 1]',
  quick: ['--records', '100000', '--planted', '100'],
  async run(args, tell) {
    const { records, planted, seed } = parse(args)
    tell(`checker --records ${records} --planted ${planted} --seed ${seed}`)
    const sound = sampleSends(records, seededRandom(seed))
    sampleHandlings(sound, seededRandom(seed), true)
    const history = toHistory(sound)
    const startedMs = performance.now()
    const verdict = check(history, { effects: 'at least once', complete: true })
    tell(`${sound.sends.length} records checked in ${Math.round(performance.now() - startedMs)} ms`)
    const missed = faults.flatMap((fault) => look(fault, { records, planted, seed }, tell))
    return [...verdict.sentences().map((sentence) => `in a sound history: ${sentence}`), ...missed]
  },
}

interface Options {
  readonly records: number
  readonly planted: number
  readonly seed: number
}

function parse(args: readonly string[]): Options {
  const text = (standard: string) => ({ type: 'string', default: standard }) as const
  const { values } = parseArgs({
    args: [...args],
    options: { records: text('1000000'), planted: text('1000'), seed: text('1') },
  })
  const numbers = { records: Number(values.records), planted: Number(values.planted), seed: Number(values.seed) }
  for (const [name, value] of Object.entries(numbers)) {
    if (!Number.isSafeInteger(value) || value < 1) throw new TypeError(`--${name}: give a whole number from 1`)
  }
  return numbers
}

/** Says where the planted and the found ones differ. */
function look(fault: Fault, { records, planted, seed }: Options, tell: (line: string) => void): string[] {
  const { anomaly, title, inLog, inHandlings, exactlyOnce = false } = fault
  const run = sampleSends(records, seededRandom(seed))
  const inLogPlanted = inLog?.(run, planted)
  sampleHandlings(run, seededRandom(seed + 1), !exactlyOnce)
  const expected = new Set(inLogPlanted ?? inHandlings!(run, planted))
  const effects = exactlyOnce ? 'exactly once' : 'at least once'
  const found = new Set(check(toHistory(run), { effects, complete: true }).witnesses(anomaly))
  const missed = expected.difference(found).size
  const invented = found.difference(expected).size
  tell(`${anomaly}, ${title}: ${expected.size} planted, ${expected.size - missed} found, ${invented} invented`)
  return missed + invented === 0 ? [] : [`${anomaly}, ${title}: ${missed} missed, ${invented} invented`]
}
