/**
 * Kinds of faults, each a pattern in code as the formatter leaves it (a comparison has spaces around it, a type
 * argument has none) and what it becomes.
 */
const kinds = [
  [/ === /g, ' !== '],
  [/ !== /g, ' === '],
  [/ < /g, ' <= '],
  [/ <= /g, ' < '],
  [/ > /g, ' >= '],
  [/ >= /g, ' > '],
  [/ \+ /g, ' - '],
  [/ - /g, ' + '],
  [/ \* /g, ' / '],
  [/ \/ /g, ' * '],
  [/ && /g, ' || '],
  [/ \|\| /g, ' && '],
  [/ \?\? /g, ' && '],
  [/\+\+/g, '--'],
  [/--/g, '++'],
  [/ \+= /g, ' -= '],
  [/ -= /g, ' += '],
  [/Math\.min\(/g, 'Math.max('],
  [/Math\.max\(/g, 'Math.min('],
  [/\btrue\b/g, 'false'],
  [/\bfalse\b/g, 'true'],
  [/\bif \((?=[^\n]*\))/g, 'if (!('],
  [/\bwhile \((?=[^\n]*\))/g, 'while (!('],
  [/(?<![\w.$'-])\d[\d_]*(?:\.\d+)?(?![\w.])/g, (number) => String(Number(number.replaceAll('_', '')) + 1)],
  // A call whose result nobody uses.
  [/^ +(?:await |void )?(?:this\.|[a-z])[\w.#?!]*\([^\n]*\)$/gm, (call) => call.replace(/\S.*/, ';')],
]

/** Every fault of a file: its text, and a name that stays while the line stays. */
export function faultsIn(file, text) {
  const code = blank(text)
  const names = new Map()
  return kinds.flatMap(([pattern, into]) =>
    [...code.matchAll(pattern)].flatMap((match) => {
      const original = text.slice(match.index, match.index + match[0].length)
      const changed = typeof into === 'string' ? into : into(original)
      const faulty = change(text, code, match.index, original, changed)
      if (faulty === undefined || isType(lineAt(text, match.index))) return []
      const base = `${file}: ${lineAt(text, match.index).trim()} [${original.trim()} -> ${changed.trim()}]`
      const count = (names.get(base) ?? 0) + 1
      names.set(base, count)
      return [{ file, text: faulty, id: count === 1 ? base : `${base} ${count}` }]
    }),
  )
}

function change(text, code, index, original, changed) {
  if (!changed.endsWith('(!(')) return text.slice(0, index) + changed + text.slice(index + original.length)
  const open = index + original.length
  const close = closingParenthesis(code, open)
  if (close === undefined) return undefined
  return `${text.slice(0, index)}${changed}${text.slice(open, close)})${text.slice(close)}`
}

function closingParenthesis(code, from) {
  let depth = 1
  for (let index = from; index < code.length; index++) {
    if (code[index] === '(') depth++
    else if (code[index] === ')' && --depth === 0) return index
  }
  return undefined
}

function lineAt(text, index) {
  const end = text.indexOf('\n', index)
  return text.slice(text.lastIndexOf('\n', index - 1) + 1, end < 0 ? text.length : end)
}

/** Types, imports and what stands for their values only. */
function isType(line) {
  return /^\s*(import|export type|type|interface|readonly \w+\??:|\|)/.test(line) || /^export (\*|\{)/.test(line)
}

/** The code with comments and the insides of strings blanked, of the same length. Templates keep their code. */
function blank(text) {
  return text.replaceAll(/\/\*[\s\S]*?\*\/|(?<!:)\/\/[^\n]*|'(?:[^'\\\n]|\\.)*'|`[^`]*`/g, (part) => {
    if (part.startsWith('`')) return part.replaceAll(/[^\n]/g, ' ')
    if (part.startsWith("'")) return `'${' '.repeat(part.length - 2)}'`
    return part.replaceAll(/[^\n]/g, ' ')
  })
}
