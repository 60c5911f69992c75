import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** A code block of the documentation that is marked `runnable`. */
export interface Sample {
  /** `docs/testing.md:12`: the page and the line of its fence. */
  readonly place: string
  readonly page: string
  /** `ts`: a program. `sh`: commands. Others are files that these need, such as a `tsconfig.json`. */
  readonly language: string
  /** The name of its file. A block with a name of its own (`file=`) is used by other blocks of its page. */
  readonly file: string
  readonly isNamed: boolean
  readonly code: string
  /** The lines that it prints, as its `// prints: ` comments say. */
  readonly prints: readonly string[]
}

const root = fileURLToPath(new URL('../../..', import.meta.url))
const fence = /^```(?<language>\w+) runnable(?: file=(?<file>[\w./-]+))?\n(?<code>.*?)^```$/gms
const printsComment = /^(?:\/\/|#) prints: (.*)$/gm

/** All that are marked, in README.md, docs and the READMEs of packages. */
export function readSamples(): readonly Sample[] {
  const pages = globSync(['README.md', 'docs/*.md', 'packages/*/README.md'], { cwd: root })
  return pages.sort().flatMap((page) => samplesOf(page, readFileSync(join(root, page), 'utf8')))
}

export function samplesOf(page: string, markdown: string): readonly Sample[] {
  return [...markdown.matchAll(fence)].map(({ index, groups }) => {
    const line = markdown.slice(0, index).split('\n').length
    const { language = '', file, code = '' } = groups ?? {}
    const prints = [...code.matchAll(printsComment)].map(([, printed = '']) => printed)
    const name = file ?? `line-${line}.${language}`
    return { place: `${page}:${line}`, page, language, file: name, isNamed: file !== undefined, code, prints }
  })
}

/** Where files of the workspace may stand that nobody keeps: the packages are found from there, as by an application. */
export const samplesFolder = join(root, 'tests', '.samples')

/** Each page has a folder, so that blocks with a name can import each other. */
export function folderOf({ page }: Sample): string {
  return join(samplesFolder, page.replaceAll('/', '-').replace(/\.md$/, ''))
}

/** Vitest takes the sources of the packages, which are not built here; an application has them installed. */
const fromSource = `import { mergeConfig } from 'vitest/config'
import documented from './documented.config.ts'

const alias = [{ find: /^@sluice\\/(\\w+)$/, replacement: '${root}packages/$1/src/index.ts' }]
export default mergeConfig(documented, { resolve: { alias } })
`

/** Writes all of them, with what the type check needs beside them. */
export function writeSamples(samples: readonly Sample[]): void {
  rmSync(samplesFolder, { recursive: true, force: true })
  for (const sample of samples) {
    const isVitestConfig = sample.file === 'vitest.config.ts'
    const path = join(folderOf(sample), isVitestConfig ? 'documented.config.ts' : sample.file)
    mkdirSync(dirname(path), { recursive: true })
    // What Ctrl-C ends takes the place of its shell, which would not pass the signal on.
    writeFileSync(path, sample.code.replaceAll(/^(?=node .*Ctrl-C)/gm, 'exec '))
    if (isVitestConfig) writeFileSync(join(folderOf(sample), sample.file), fromSource)
  }
  const compilerOptions = { incremental: false, tsBuildInfoFile: null, experimentalDecorators: true }
  const config = { extends: '../../tsconfig.json', compilerOptions, include: ['*/**/*.ts'] }
  writeFileSync(join(samplesFolder, 'tsconfig.json'), JSON.stringify(config))
  // Modules, as the newcomer's own package says.
  writeFileSync(join(samplesFolder, 'package.json'), JSON.stringify({ private: true, type: 'module' }))
}
