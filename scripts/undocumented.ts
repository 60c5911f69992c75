// What a package shows without saying what it is for: exports and public members without a docstring.
import { ts } from '@ts-morph/common'
import { docOf, isPrivate, ownDeclarations, type PublicApi } from './public-api.ts'

/** Members whose meaning the language gives, and words that mean the same wherever they stand (GLOSSARY.md). */
const selfEvident: ReadonlySet<string> = new Set(
  [
    '[Symbol.asyncDispose] [Symbol.dispose] [Symbol.iterator] [Symbol.asyncIterator] constructor inspect toJSON',
    'topic partition offset group key value headers record records timestampMs broker brokers clientId memberId epoch',
    'address host port path url name id pid size length state',
    'code message cause error retriable signal clock',
  ].flatMap((words) => words.split(' ')),
)

/** One line for each export, and each public member of one, that has no docstring. Of overloads one says it for all. */
export function undocumented(api: PublicApi): string[] {
  return api.libraries.flatMap((library) =>
    [...library.exports].flatMap(([name, symbol]) => {
      const own = ownDeclarations(library, symbol)
      const missing = own.length > 0 && own.every((declaration) => docOf(declaration) === '') ? [name] : []
      const members = own.flatMap((declaration) =>
        undocumentedMembers(declaration).map((member) => `${name}.${member}`),
      )
      return [...missing, ...members].map((subject) => `${library.name}: ${subject} has no docstring`)
    }),
  )
}

function undocumentedMembers(declaration: ts.Declaration): string[] {
  if (!ts.isClassDeclaration(declaration) && !ts.isInterfaceDeclaration(declaration)) return []
  const members: readonly (ts.ClassElement | ts.TypeElement)[] = declaration.members
  const documented = new Map<string, boolean>()
  for (const member of members) {
    const name = member.name?.getText()
    if (name === undefined || isPrivate(member) || selfEvident.has(name)) continue
    documented.set(name, (documented.get(name) ?? false) || docOf(member) !== '')
  }
  return [...documented].filter(([, isDone]) => !isDone).map(([name]) => name)
}
