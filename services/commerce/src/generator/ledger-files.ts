/** The ledgers in a ledger folder, by topic. */
export const LEDGER_FILES = Object.freeze({ orders: 'orders.txt', products: 'products.txt' })
