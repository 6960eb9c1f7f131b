/** samples_c: each part of samples_b with the teacher's columns beside it, from the scores that lie beside the shards. */
import { basename, join } from 'node:path';
import type { Batch, Schema } from '../data/columns.js';
import { parquetSource, writeQuery } from '../data/parquet.js';
import type { ShardEntry } from '../data/shards.js';
import { appendBatches, createTable } from '../data/tableAppender.js';
import { internal } from '../errors.js';
import type { Stage } from '../run/stage.js';
import { sampleSchema } from '../samples/group.js';
import { noRank, readTeacherScores, teacherFile } from '../train/teacherScores.js';

/** Version of samples_c, in its footer. */
const samplesVersion = '1';

const scoreSchema = { teacher_logit: 'FLOAT[]', teacher_rank: 'INTEGER[]' } as const satisfies Schema;

/**
 * `entries`: the shards of set B, one per part with the same requests in the same order. A candidate without a score has null in both
 * columns. What the part holds goes from file to file within the SQL engine.
 */
export async function writeSamplesC(stage: Stage, entries: readonly ShardEntry[]): Promise<void> {
  const parts = await stage.readTable('samples', 'samples_b');
  const columns = Object.entries(sampleSchema).map(
    ([name, type]) => `CAST(part.${name} AS ${type}) AS ${name}`,
  );
  await stage.withDuckdb(async (db) => {
    for (const [i, part] of parts.entries()) {
      const scores = readScores(stage, entries[i]!);
      await createTable(db, 'scores', scoreSchema);
      await appendBatches(db, 'scores', scoreSchema, [scores]);
      const rows = `SELECT ${columns.join(', ')}, scores.* FROM ${parquetSource(part)} part POSITIONAL JOIN scores`;
      await stage.write(
        `samples_c/${basename(part)}`,
        async (path) => {
          await writeQuery(db, rows, path, { schema_version: samplesVersion }, 'lists');
          return scores.rows;
        },
        samplesVersion,
      );
      await db.run('DROP TABLE scores');
    }
  });
}

function readScores(stage: Stage, entry: ShardEntry): Batch {
  const { offsets, logit, rank } = readTeacherScores(join(stage.folder, teacherFile(entry)));
  const rows = offsets.length - 1;
  if (rows !== entry.requests || logit.length !== entry.candidates) {
    internal(
      `${entry.file} has ${entry.requests} requests with ${entry.candidates} candidates, its scores ${rows} with ${logit.length}`,
    );
  }
  const nulls = new Uint8Array(rank.length);
  for (let i = 0; i < rank.length; i++) if (rank[i] === noRank) nulls[i] = 1;
  return {
    rows,
    columns: {
      teacher_logit: { offsets, child: { values: logit, nulls } },
      teacher_rank: { offsets, child: { values: rank, nulls } },
    },
  };
}
