import { expect, it } from 'vitest'
import { lend, type Transaction } from './transaction.ts'

/** Is open, whatever is sent. */
function openTransaction() {
  const sent: unknown[] = []
  const query = (statement: unknown): Promise<unknown> => {
    sent.push(statement)
    return Promise.resolve({ rows: [{ mark: 'on' }] })
  }
  return { tx: { query } as unknown as Transaction, sent }
}

it.each([
  'COMMIT',
  ' end;',
  'abort',
  'Rollback',
  'ROLLBACK AND CHAIN',
  "PREPARE TRANSACTION 'x'",
  '-- at last\n/* * */ ; COMMIT WORK',
])('refuses a handler %j, and does not forget it where the handler does', async (statement) => {
  const { tx, sent } = openTransaction()
  const lent = lend(tx, async ({ query }) => {
    expect(() => query({ text: statement })).toThrow(expect.objectContaining({ code: 'transaction_ended' }))
    expect(() => query(statement)).toThrow('not its to end')
  })
  await expect(lent).rejects.toMatchObject({ code: 'transaction_ended' })
  expect(sent).not.toContain(statement)
})

it.each([
  'ROLLBACK TO here',
  'rollback work to savepoint here',
  'PREPARE x AS SELECT 1',
  "SELECT 'COMMIT'",
  '/*'.repeat(50_000),
])('sends what does not end it (%.20s)', async (statement) => {
  const { tx, sent } = openTransaction()
  await lend(tx, ({ query }) => query(statement))
  expect(sent[0]).toBe(statement)
})
