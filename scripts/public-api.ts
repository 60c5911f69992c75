// What a package shows to its users, read from the declarations that it is published with: `npm run check` builds them
// first. The compiler of the workspace has no API for tools, so that the one inside @ts-morph/common reads them.
import { join, relative, sep } from 'node:path'
import { ts } from '@ts-morph/common'

/** A library of ours, by the declarations of its entry. */
export interface Library {
  readonly name: string
  /** Path of index.d.ts. */
  readonly entry: string
  /** Libraries that its users import themselves, by name: what those export, it may name. */
  readonly beside: readonly string[]
}

/** A library with the symbols that its entry exports. */
export interface LibraryApi extends Library {
  readonly exports: ReadonlyMap<string, ts.Symbol>
}

/** The exports of some libraries, and the checker that resolves what they name. */
export interface PublicApi {
  readonly checker: ts.TypeChecker
  /** Every file that the declarations reach. */
  readonly files: readonly string[]
  readonly libraries: readonly LibraryApi[]
}

const options: ts.CompilerOptions = {
  target: ts.ScriptTarget.ESNext,
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  // Nothing is type-checked: only names are resolved, which takes no declarations of the platform.
  noLib: true,
  types: [],
  noEmit: true,
}

export function readPublicApi(libraries: readonly Library[]): PublicApi {
  const program = ts.createProgram(
    libraries.map(({ entry }) => entry),
    options,
  )
  const checker = program.getTypeChecker()
  return {
    checker,
    files: program.getSourceFiles().map(({ fileName }) => fileName),
    libraries: libraries.map((library) => ({ ...library, exports: exportsOf(program, library) })),
  }
}

function exportsOf(program: ts.Program, { name, entry }: Library): ReadonlyMap<string, ts.Symbol> {
  const checker = program.getTypeChecker()
  const source = program.getSourceFile(entry)
  const module = source && checker.getSymbolAtLocation(source)
  if (module === undefined) throw new Error(`${name} has no module ${entry}: is it built?`)
  return new Map(checker.getExportsOfModule(module).map((symbol) => [symbol.name, resolved(checker, symbol)]))
}

/** The symbol itself, where `symbol` is an import or a re-export of it. */
export function resolved(checker: ts.TypeChecker, symbol: ts.Symbol): ts.Symbol {
  return symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol
}

/** A member that users cannot reach: `private`, or named with #. */
export function isPrivate(node: ts.Node): boolean {
  const { name } = node as ts.NamedDeclaration
  if (name !== undefined && ts.isPrivateIdentifier(name)) return true
  return ts.canHaveModifiers(node) && (ts.getModifiers(node) ?? []).some(isPrivateKeyword)
}

function isPrivateKeyword({ kind }: ts.Modifier): boolean {
  return kind === ts.SyntaxKind.PrivateKeyword
}

/** Those of the library itself: what it exports of another one is checked there. */
export function ownDeclarations({ entry }: Library, { declarations = [] }: ts.Symbol): readonly ts.Declaration[] {
  const folder = entry.slice(0, entry.lastIndexOf('/') + 1)
  return declarations.filter((declaration) => declaration.getSourceFile().fileName.startsWith(folder))
}

/** The text of a docstring in one line; empty where there is none. */
export function docOf(node: ts.Node): string {
  const owner = ts.isVariableDeclaration(node) ? node.parent.parent : node
  const docs = ts.getJSDocCommentsAndTags(owner).map((doc) => doc.getText())
  return docs
    .join(' ')
    .replaceAll(/\/\*\*|\*\/|^\s*\*/gm, ' ')
    .replaceAll(/\s+/g, ' ')
    .trim()
}

/** The path of a declaration from `root`, with forward slashes. */
export function placeOf(root: string, declaration: ts.Declaration): string {
  return relative(root, declaration.getSourceFile().fileName).split(sep).join('/')
}

/** The Kafka client library is an implementation: its declarations would bind us to it, and break strict compilers. */
const hidden = '/node_modules/@platformatic/'

/** A line where the declarations reach those of the Kafka client library. */
export function hiddenDeclarations({ files }: PublicApi): string[] {
  const reached = files.filter((file) => file.includes(hidden)).length
  return reached === 0
    ? []
    : [`the public declarations reach ${reached} files of ${hidden}: keep its types to src/driver`]
}

/** The libraries of this workspace. The services and the command line have no API of types. */
export function ourLibraries(root: string): Library[] {
  const library = (folder: string, beside: readonly string[] = []): Library => ({
    name: `@sluice/${folder}`,
    entry: join(root, 'packages', folder, 'dist', 'index.d.ts'),
    beside,
  })
  return [library('flow'), library('kafka'), library('postgres', ['@sluice/kafka']), library('stack')]
}
