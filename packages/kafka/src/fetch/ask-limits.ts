/**
 * A broker gives the first batch whole, or so much of it that its header says how much to ask for: one that is still cut
 * after so many answers lies about its length.
 */
export const MAX_CUTS = 8

export const MAX_ASK_BYTES = 2 ** 31 - 1
