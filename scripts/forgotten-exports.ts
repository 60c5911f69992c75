// Types that a public signature names and its package does not export: users could not write them down.
import { sep } from 'node:path'
import { ts } from '@ts-morph/common'
import { isPrivate, placeOf, resolved, type LibraryApi, type PublicApi } from './public-api.ts'

/** One line for each type of ours that a library of `api` names and does not export. */
export function forgottenExports(api: PublicApi, root: string): string[] {
  return api.libraries.flatMap((library) => {
    const exported = new Set(visibleWith(api, library).flatMap(({ exports }) => [...exports.values()]))
    const forgotten = new Map<ts.Symbol, Set<string>>()
    for (const [name, symbol] of library.exports) {
      for (const named of namedBy(api.checker, symbol)) {
        if (!exported.has(named) && isOurs(named)) forgotten.set(named, (forgotten.get(named) ?? new Set()).add(name))
      }
    }
    return [...forgotten].map(
      ([symbol, by]) =>
        `${library.name} does not export ${symbol.name} (${placeOf(root, symbol.declarations![0]!)}), which ` +
        `${[...by].join(', ')} names: export it from src/index.ts, or mark what names it @internal`,
    )
  })
}

function visibleWith({ libraries }: PublicApi, { name, beside }: LibraryApi): readonly LibraryApi[] {
  return libraries.filter((library) => library.name === name || beside.includes(library.name))
}

/** Declared by a library of ours, and in it: a type parameter has no other place to be. */
function isOurs({ flags, declarations = [] }: ts.Symbol): boolean {
  const file = declarations[0]?.getSourceFile().fileName ?? ''
  return !(flags & ts.SymbolFlags.TypeParameter) && file !== '' && !file.includes(`${sep}node_modules${sep}`)
}

/** What the declarations of `symbol` name, private members left out. */
function namedBy(checker: ts.TypeChecker, symbol: ts.Symbol): ReadonlySet<ts.Symbol> {
  const found = new Set<ts.Symbol>()
  const visit = (node: ts.Node): void => {
    if (isPrivate(node)) return
    const name = nameIn(node)
    const named = name && checker.getSymbolAtLocation(name)
    if (named) found.add(resolved(checker, named))
    ts.forEachChild(node, visit)
  }
  for (const declaration of symbol.declarations ?? []) visit(declaration)
  return found
}

/** The name in a reference to a type: `A`, `extends A`, and the import('./a').A of a type that is inferred. */
function nameIn(node: ts.Node): ts.Node | undefined {
  if (ts.isTypeReferenceNode(node)) return node.typeName
  if (ts.isExpressionWithTypeArguments(node)) return node.expression
  if (ts.isImportTypeNode(node)) return node.qualifier
  return undefined
}
