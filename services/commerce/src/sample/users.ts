import { timestampOf, type User } from '../events/events.ts'
import { AGE_GROUPS, FAMILY_NAMES, GENDERS, GIVEN_NAMES, REGIONS } from './catalogue.ts'
import { Random } from './random.ts'

/** The n-th customer, `u_<n>`: always the same one for the same `createdAtMs`. */
export function sampleUser(n: number, createdAtMs: number): User {
  const random = new Random('user', n)
  return {
    user_id: `u_${n}`,
    name: random.pick(FAMILY_NAMES) + random.pick(GIVEN_NAMES),
    gender: random.pick(GENDERS),
    age_group: random.pick(AGE_GROUPS),
    region: random.pick(REGIONS),
    created_at: timestampOf(createdAtMs),
  }
}
