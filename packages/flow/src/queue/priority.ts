/** From the most important to the least. */
export const priorities = ['high', 'medium', 'low'] as const

/** Who gives way where there is no room for all. */
export type Priority = (typeof priorities)[number]

/** Position of a priority in `priorities`: 0 is the most important. */
export const rankOf: Readonly<Record<Priority, number>> = { high: 0, medium: 1, low: 2 }

/** One value a priority. */
export type PerPriority<T> = Readonly<Record<Priority, T>>

export function perPriority<T>(make: (priority: Priority) => T): PerPriority<T> {
  return { high: make('high'), medium: make('medium'), low: make('low') }
}
