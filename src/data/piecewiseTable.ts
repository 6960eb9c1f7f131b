/**
 * A table of the SQL engine, filled batch by batch, whose rows lie in files beside what the engine spills: a piece of it goes to a
 * Parquet file whenever it is large enough, and a view reads them all. The engine's own tables fill its memory, and take more beside
 * its limit the longer they are: 3,000 simulated users 482 MB after the last row, and 222 so.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Batch, Schema } from './columns.js';
import { sqlText, type Duckdb } from './duckdb.js';
import { parquetSource } from './parquet.js';
import { createTable, TableAppender } from './tableAppender.js';

export class PiecewiseTable {
  private readonly pieces: string[] = [];
  private rows = 0;

  private constructor(
    private readonly db: Duckdb,
    private readonly name: string,
    private readonly schema: Schema,
    private readonly rowsPerPiece: number,
    private appender: TableAppender,
  ) {}

  /** `name` becomes a view when the table is closed. */
  static async open(
    db: Duckdb,
    name: string,
    schema: Schema,
    rowsPerPiece = 2 ** 16,
  ): Promise<PiecewiseTable> {
    await mkdir(db.spillFolder, { recursive: true });
    return new PiecewiseTable(db, name, schema, rowsPerPiece, await openPiece(db, name, schema));
  }

  async append(batch: Batch): Promise<void> {
    if (this.rows >= this.rowsPerPiece) {
      await this.writePiece();
      this.appender = await openPiece(this.db, this.name, this.schema);
    }
    this.appender.append(batch);
    this.rows += batch.rows;
  }

  async close(): Promise<void> {
    await this.writePiece();
    await this.db.run(`CREATE TEMPORARY VIEW ${this.name} AS SELECT * FROM ${parquetSource(this.pieces)}`);
  }

  /** Not compressed: it is read a few times, and goes with the engine. */
  private async writePiece(): Promise<void> {
    const path = join(this.db.spillFolder, `${this.name}-${this.pieces.length}.parquet`);
    this.appender.close();
    await this.db.run(
      `COPY ${pieceOf(this.name)} TO ${sqlText(path)} (FORMAT parquet, COMPRESSION uncompressed)`,
    );
    await this.db.run(`DROP TABLE ${pieceOf(this.name)}`);
    this.pieces.push(path);
    this.rows = 0;
  }
}

const pieceOf = (name: string) => `piece_of_${name}`;

async function openPiece(db: Duckdb, name: string, schema: Schema): Promise<TableAppender> {
  await createTable(db, pieceOf(name), schema);
  return TableAppender.open(db, pieceOf(name), schema);
}
