/** Below this a loop is faster than a call into the runtime. */
const shortBytes = 32

/** Copies bytes that the caller knows to be there, into room that it knows to be there. */
export function copyLiterals(from: Buffer, start: number, to: Buffer, at: number, length: number): void {
  if (length > shortBytes) from.copy(to, at, start, start + length)
  else for (let i = 0; i < length; i++) to[at + i] = from[start + i]!
}

/**
 * Repeats what was written `distance` bytes before `at`; where the distance is smaller than the length, the copy
 * repeats itself, as in every dictionary coder of the LZ77 family.
 * @throws RangeError where the distance leads nowhere
 */
export function copyBackReference(output: Buffer, at: number, distance: number, length: number): void {
  const from = at - distance
  if (distance === 0 || from < 0) throw new RangeError('a reference to before the beginning')
  if (length <= shortBytes) {
    for (let i = 0; i < length; i++) output[at + i] = output[from + i]!
    return
  }
  // Each round can copy all that was written since `from`, so that the step doubles.
  for (let done = 0; done < length;) {
    const step = Math.min(distance + done, length - done)
    output.copyWithin(at + done, from, from + step)
    done += step
  }
}
