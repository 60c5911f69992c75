import type * as KafkaLibrary from '@platformatic/kafka'

/** What `@platformatic/kafka` exports. */
export type Library = typeof KafkaLibrary

let loaded: Library | undefined

/**
 * Loads the library, once. It has over 300 modules, which take longer to load than everything else of this package: a
 * program that connects to nothing, such as `sluice --help`, does without. A dynamic import, so that bundlers see it.
 */
export async function loadLibrary(): Promise<void> {
  loaded ??= await import('@platformatic/kafka')
}

/** Whether `library` may be called. */
export function isLibraryLoaded(): boolean {
  return loaded !== undefined
}

/** The loaded library. `Connections` loads it before the first connection, so whatever has a connection may call this. */
export function library(): Library {
  if (!loaded) throw new Error('@platformatic/kafka is not loaded yet: await loadLibrary() first')
  return loaded
}
