/** A column of a set-based insert: its name and the PostgreSQL type of its array parameter. */
export type Columns<Row> = ReadonlyArray<readonly [name: keyof Row & string, type: string]>

export interface SetInsert<Row> {
  readonly text: string
  readonly columnCount: number
  /** The rows turned into one array a column, in the order of the parameters. */
  parameters(rows: readonly Row[]): unknown[][]
}

/** One statement for any number of rows; rows whose primary key is already there are left as they are. */
export function setInsert<Row>(table: string, columns: Columns<Row>): SetInsert<Row> {
  const names = columns.map(([name]) => name)
  const arrays = columns.map(([, type], index) => `$${index + 1}::${type}[]`)
  return {
    text:
      `INSERT INTO ${table} (${names.join(', ')}) SELECT * FROM unnest(${arrays.join(', ')}) ` +
      'ON CONFLICT DO NOTHING',
    columnCount: columns.length,
    parameters: (rows) => names.map((name) => rows.map((row) => row[name])),
  }
}
