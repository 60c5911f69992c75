import { stripVTControlCharacters } from 'node:util'
import stringWidth from 'string-width'
import { figure } from './figures.ts'
import { printable } from './printable.ts'

/** Numbers stand to the right, with thousands separators; null is `-`. Text is made printable. */
export type Cell = string | number | null | undefined

const GAP = '  '

/** A heading and rows in columns, a line each. Columns of numbers are aligned to the right. */
export function tableLines(titles: readonly string[], rows: readonly (readonly Cell[])[]): string[] {
  const right = titles.map((_, column) => rows.some((row) => typeof row[column] === 'number'))
  return alignColumns([titles, ...rows.map((row) => row.map(cellText))], right)
}

/** Columns as wide as their widest cell, as a terminal shows them; no trailing spaces. */
export function alignColumns(rows: readonly (readonly string[])[], right: readonly boolean[] = []): string[] {
  const widths: number[] = []
  for (const row of rows) for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, widthOf(cell))
  return rows.map((row) =>
    row
      .map((cell, i) => padded(cell, widths[i] ?? 0, right[i] ?? false))
      .join(GAP)
      .trimEnd(),
  )
}

/** The text cut to so many columns of a terminal. */
export function cutTo(text: string, columns: number): string {
  if (text.length <= columns && isNarrow(text)) return text
  let width = 0
  let cut = ''
  for (const { segment } of segmenter.segment(text)) {
    width += stringWidth(segment)
    if (width > columns) break
    cut += segment
  }
  return cut
}

const segmenter = new Intl.Segmenter()

function cellText(cell: Cell): string {
  if (typeof cell === 'number') return figure(cell)
  return cell === null || cell === undefined || cell === '' ? '-' : printable(cell)
}

function padded(cell: string, width: number, right: boolean): string {
  const padding = ' '.repeat(Math.max(0, width - widthOf(cell)))
  return right ? padding + cell : cell + padding
}

function widthOf(text: string): number {
  return isNarrow(text) ? text.length : stringWidth(stripVTControlCharacters(text))
}

/** Printable ASCII alone: a column a character. */
function isNarrow(text: string): boolean {
  return /^[ -~]*$/.test(text)
}
