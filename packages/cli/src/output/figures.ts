const whole = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 })
const small = new Intl.NumberFormat('en-US', { maximumFractionDigits: 1 })

/** `1,234,567`; below 10 with one decimal. */
export function figure(value: number): string {
  return (Math.abs(value) < 10 ? small : whole).format(value)
}

/** `1 record`, `1,200 records`. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${figure(count)} ${count === 1 ? one : many}`
}
