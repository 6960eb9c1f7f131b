/** CSV files of public data sets: gzipped ones are checked whole before they are read, so that a damaged one is a clear problem. */
import { createReadStream } from 'node:fs';
import { createGunzip } from 'node:zlib';
import { nearest } from '../config/nearest.js';
import { sqlText, type Duckdb } from '../data/duckdb.js';
import { CascadeError, type Problem } from '../errors.js';

/** Column names and SQL types that we read; a file may have more columns, and in another order. */
export type CsvColumns = Readonly<Record<string, string>>;

/**
 * Makes a table of the columns asked for, and `line`, the row's line in the file. An empty field is null. The checksum that gzip
 * keeps is verified on the way: DuckDB does not look at it.
 *
 * `published`: the columns in the order in which the publishers' own file has them, where that file has no header line. A first line
 * that is a row of it, as it starts with a number, is then read as one.
 */
export async function readCsv(
  db: Duckdb,
  table: string,
  path: string,
  columns: CsvColumns,
  published?: readonly string[],
): Promise<void> {
  const first = await verifiedFirstLine(path);
  const hasHeader = published === undefined || !/^\d+$/.test(first[0]!);
  const header = hasHeader ? first : published;
  const missing = Object.keys(columns).filter((name) => !header.includes(name));
  if (missing.length > 0) throw new CascadeError(missing.map((name) => missingColumn(path, name, header)));
  const types = header.map((name) => `${sqlText(name)}: '${columns[name] ?? 'VARCHAR'}'`);
  const options = `delim = ',', quote = '"', escape = '"', nullstr = '', header = ${hasHeader}, auto_detect = false`;
  const wanted = Object.keys(columns).map((name) => `"${name}"`);
  try {
    await db.run(
      `CREATE TABLE ${table} AS SELECT row_number() OVER () + ${hasHeader ? 1 : 0} AS line, ${wanted.join(', ')}
       FROM read_csv(${sqlText(path)}, ${options}, columns = {${types.join(', ')}})`,
    );
  } catch (cause) {
    if (cause instanceof CascadeError) throw cause;
    throw new CascadeError(unreadableValue(path, cause), { cause });
  }
}

/** The fields of the first line; of a gzipped file only when all of it is whole. */
async function verifiedFirstLine(path: string): Promise<string[]> {
  const isGzipped = path.endsWith('.gz');
  const bytes = createReadStream(path);
  let head = '';
  try {
    for await (const chunk of (isGzipped ? bytes.pipe(createGunzip()) : bytes) as AsyncIterable<Buffer>) {
      if (!head.includes('\n')) head += chunk.toString('utf8');
      else if (!isGzipped) break;
    }
  } catch (cause) {
    throw new CascadeError(
      {
        code: 'data.damaged_file',
        where: path,
        what: `This ${isGzipped ? 'gzip ' : ''}file is cut off or damaged: ${cause instanceof Error ? cause.message : String(cause)}.`,
        mend: 'Fetch it again; data/README.md says where from.',
      },
      { cause },
    );
  }
  return head.split(/\r?\n/)[0]!.split(',');
}

function missingColumn(path: string, name: string, header: readonly string[]): Problem {
  const near = nearest(name, header);
  return {
    code: 'data.missing_column',
    where: path,
    subject: name,
    what: `There is no column \`${name}\`; the file has: ${header.join(', ')}.`,
    mend: near ? `Is \`${near}\` meant? Rename it.` : 'Use the file as its authors published it.',
  };
}

/** DuckDB names line, column and value in its first lines; the rest is advice about options that are ours to set. */
function unreadableValue(path: string, cause: unknown): Problem {
  const message = cause instanceof Error ? cause.message : String(cause);
  const line = /Line: (\d+)/i.exec(message)?.[1];
  const convert = /Error when converting column "([^"]+)"\. (.*)/.exec(message);
  const shape = /Expected Number of Columns.*/.exec(message)?.[0];
  return {
    code: 'data.wrong_type',
    where: line ? `${path}:${line}` : path,
    ...(convert && { subject: convert[1]! }),
    what: convert
      ? `${convert[2]!.trim()}.`
      : `This line cannot be read: ${shape ?? message.split('\n')[0] ?? message}.`,
    mend: 'Use the file as its authors published it.',
  };
}
