export interface Curve {
  readonly name: string
  readonly points: readonly (readonly [x: number, y: number])[]
}

export interface Plot {
  readonly title: string
  readonly yLabel: string
  readonly curves: readonly Curve[]
  /** Values above are cut off, so that one curve does not flatten the others. */
  readonly maxY: number
}

const width = 900
const height = 260
const left = 60
const right = 150
const top = 30
const bottom = 30
const colours = ['#0b6e4f', '#c1292e', '#1f78b4', '#e08e0b', '#6a3d9a', '#555555']

/** Plots one below the other, over the same x, as one SVG. */
export function svg(plots: readonly Plot[]): string {
  const body = plots.map((plot, index) => `<g transform="translate(0 ${index * height})">${drawPlot(plot)}</g>`)
  const size = `width="${width}" height="${height * plots.length}"`
  const style = '<style>text{font:12px sans-serif}polyline{fill:none;stroke-width:1.5}</style>'
  const paper = '<rect width="100%" height="100%" fill="white"/>'
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size}>${style}${paper}${body.join('')}</svg>\n`
}

function drawPlot({ title, yLabel, curves, maxY }: Plot): string {
  const maxX = Math.max(...curves.flatMap(({ points }) => points.map(([x]) => x)))
  const toX = (x: number) => left + (x / maxX) * (width - left - right)
  const toY = (y: number) => height - bottom - (Math.min(y, maxY) / maxY) * (height - top - bottom)
  const lines = curves.map(({ points, name }, index) => {
    const colour = colours[index % colours.length]
    const path = points.map(([x, y]) => `${toX(x).toFixed(1)},${toY(y).toFixed(1)}`).join(' ')
    const legend = `<text x="${width - right + 10}" y="${top + 16 * index}" fill="${colour}">${name}</text>`
    return `<polyline stroke="${colour}" points="${path}"/>${legend}`
  })
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((share) => {
    const y = toY(share * maxY)
    const grid = `<line x1="${left}" x2="${width - right}" y1="${y}" y2="${y}" stroke="#ddd"/>`
    return `${grid}<text x="${left - 6}" y="${y + 4}" text-anchor="end">${Math.round(share * maxY)}</text>`
  })
  const heading = `<text x="${left}" y="18" font-weight="bold">${title} (${yLabel})</text>`
  return heading + ticks.join('') + lines.join('')
}
