/**
 * A table of the SQL engine, filled batch by batch, whose rows lie in files beside what the engine spills: a piece of it goes to a
 * Parquet file whenever it is large enough, and a view reads them all. The engine's own tables fill its memory, and take more beside
 * its limit the longer they are: 3,000 simulated users 482 MB after the last row, and 222 so.
 *
 * A piece can be put in an order. Where all rows of a batch come before all rows of the next one, the whole table is in it then, and
 * nobody has to sort it. Such pieces are of whole vectors, so that what is written from them is the same to the byte as if it had been
 * sorted: the engine ends its row groups and pages between vectors.
 */
import bindings from '@duckdb/node-bindings';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Batch, Schema } from './columns.js';
import { sqlText, type Duckdb } from './duckdb.js';
import { parquetSource } from './parquet.js';
import { createTable, TableAppender } from './tableAppender.js';

const vectorRows = bindings.vector_size();

export class PiecewiseTable {
  private readonly pieces: string[] = [];
  private rows = 0;

  private constructor(
    private readonly db: Duckdb,
    private readonly name: string,
    private readonly schema: Schema,
    private readonly order: readonly string[],
    private readonly rowsPerPiece: number,
    private appender: TableAppender,
  ) {}

  /** `name` becomes a view when the table is closed. */
  static async open(
    db: Duckdb,
    name: string,
    schema: Schema,
    order: readonly string[] = [],
    rowsPerPiece = 2 ** 16,
  ): Promise<PiecewiseTable> {
    await mkdir(db.spillFolder, { recursive: true });
    await createTable(db, pieceOf(name), schema);
    const appender = await TableAppender.open(db, pieceOf(name), schema);
    return new PiecewiseTable(db, name, schema, order, rowsPerPiece, appender);
  }

  async append(batch: Batch): Promise<void> {
    if (this.rows >= this.rowsPerPiece) {
      await this.writePiece(this.order.length === 0 ? this.rows : this.rows - (this.rows % vectorRows));
      this.appender = await TableAppender.open(this.db, pieceOf(this.name), this.schema);
    }
    this.appender.append(batch);
    this.rows += batch.rows;
  }

  async close(): Promise<void> {
    await this.writePiece(this.rows);
    await this.db.run(`DROP TABLE ${pieceOf(this.name)}`);
    await this.db.run(`CREATE TEMPORARY VIEW ${this.name} AS SELECT * FROM ${parquetSource(this.pieces)}`);
  }

  /** Writes the first rows and keeps the rest for the next piece. Not compressed: it is read a few times, and goes with the engine. */
  private async writePiece(rows: number): Promise<void> {
    const path = join(this.db.spillFolder, `${this.name}-${this.pieces.length}.parquet`);
    const piece = pieceOf(this.name);
    const sorted = this.order.length === 0 ? '' : ` ORDER BY ${this.order.join(', ')}`;
    this.appender.close();
    await this.db.run(
      `COPY (SELECT * FROM ${piece}${sorted} LIMIT ${rows}) TO ${sqlText(path)} (FORMAT parquet, COMPRESSION uncompressed)`,
    );
    await this.db.run(
      `CREATE TEMPORARY TABLE rest_of_${piece} AS SELECT * FROM ${piece}${sorted} OFFSET ${rows}`,
    );
    await this.db.run(`DROP TABLE ${piece}`);
    await this.db.run(`ALTER TABLE rest_of_${piece} RENAME TO ${piece}`);
    this.pieces.push(path);
    this.rows -= rows;
  }
}

const pieceOf = (name: string) => `piece_of_${name}`;
