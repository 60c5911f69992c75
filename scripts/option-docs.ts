// What the docstring of an option has to say: a number its range and its default, and the name that Kafka has for it.
import { ts } from '@ts-morph/common'
import { kafkaNames } from './kafka-names.ts'
import { docOf, ownDeclarations, type LibraryApi, type PublicApi } from './public-api.ts'

interface Option {
  /** As `ProducerOptions.lingerMs`. */
  readonly name: string
  readonly isNumber: boolean
  readonly isOptional: boolean
  readonly doc: string
}

const range = /\bfrom\b|\bat least\b|\bor more\b|\b[\d,]+ to\b/i

/** One line for each option whose docstring leaves out what it has to say. */
export function incompleteOptions(api: PublicApi, names: Readonly<Record<string, string>> = kafkaNames): string[] {
  return api.libraries.flatMap((library) => {
    const options = optionsOf(library)
    const ours = library.name === '@sluice/kafka' ? names : {}
    const found = options.flatMap((option) => objections(option, ours).map((why) => `${library.name}: ${why}`))
    return [...found, ...unknownNames(options, ours)]
  })
}

function objections({ name, isNumber, isOptional, doc }: Option, names: Readonly<Record<string, string>>): string[] {
  const objects: string[] = []
  if (isNumber && !range.test(doc)) objects.push(`${name} does not say its range ("from 1", "1 to 9", "at least 1")`)
  if (isNumber && isOptional && !/\bdefault\b/i.test(doc)) objects.push(`${name} does not say its default`)
  const kafkas = names[name]
  if (kafkas !== undefined && !(doc.includes('Kafka') && doc.includes(`\`${kafkas}\``))) {
    objects.push(`${name} does not say that Kafka calls it \`${kafkas}\``)
  }
  return objects
}

/** Options of kafka-names.ts that do not exist (any more). */
function unknownNames(options: readonly Option[], names: Readonly<Record<string, string>>): string[] {
  const known = new Set(options.map(({ name }) => name))
  return Object.keys(names)
    .filter((name) => !known.has(name))
    .map((name) => `scripts/kafka-names.ts names ${name}, which is no option of @sluice/kafka`)
}

function optionsOf(library: LibraryApi): readonly Option[] {
  const found: Option[] = []
  for (const [name, symbol] of library.exports) {
    if (!/(?:Options|Spec|Bounds|BackOff)$/.test(name)) continue
    for (const declaration of ownDeclarations(library, symbol)) collect(declaration, name, found)
  }
  return found
}

/** Also those of object types within, such as `sasl.mechanism`. */
function collect(node: ts.Node, path: string, found: Option[]): void {
  ts.forEachChild(node, (child) => {
    if (!ts.isPropertySignature(child) || child.type === undefined) return collect(child, path, found)
    const name = `${path}.${child.name.getText()}`
    const isNumber = /^number\b/.test(child.type.getText())
    found.push({ name, isNumber, isOptional: child.questionToken !== undefined, doc: docOf(child) })
    collect(child.type, name, found)
  })
}
