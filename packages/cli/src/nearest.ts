/** The name that is most like a mistaken one, if any is like it at all: at most a third of it is different. */
export function nearest(mistaken: string, names: readonly string[]): string | undefined {
  const limit = Math.max(1, Math.floor(mistaken.length / 3))
  let best: { readonly name: string; readonly distance: number } | undefined
  for (const name of names) {
    if (Math.abs(name.length - mistaken.length) > limit) continue
    const distance = editDistance(mistaken.toLowerCase(), name.toLowerCase())
    if (distance <= limit && (!best || distance < best.distance)) best = { name, distance }
  }
  return best?.name
}

/** How many letters have to be added, removed or changed (Levenshtein), row by row. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const change = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      row.push(Math.min(change, previous[j]! + 1, row[j - 1]! + 1))
    }
    previous = row
  }
  return previous[b.length]!
}
