import { ConfigError } from '@sluice/flow'

/**
 * Refuses a field that does not exist: a setting under a wrong name would be ignored.
 * @param prefix of the names, such as `queue.`
 * @param fields all there are; as an object, so that the compiler misses none
 * @throws ConfigError that names the field
 */
export function requireKnownFields<T extends object>(
  prefix: string,
  options: T,
  fields: Readonly<Record<keyof T, true>>,
): void {
  for (const [field, value] of Object.entries(options)) {
    if (!Object.hasOwn(fields, field)) {
      throw new ConfigError(prefix + field, value, `one of ${Object.keys(fields).join(', ')}`)
    }
  }
}
