/** samples_c: each part of samples_b with the teacher's columns beside it, from the scores that lie beside the shards. */
import { basename, join } from 'node:path';
import type { ListColumn, Schema } from '../data/columns.js';
import { parquetSource, writeBatches } from '../data/parquet.js';
import type { ShardEntry } from '../data/shards.js';
import { internal } from '../errors.js';
import type { Stage } from '../run/stage.js';
import { sampleSchema } from '../samples/group.js';
import { noRank, readTeacherScores, teacherFile } from '../train/teacherScores.js';

/** Version of samples_c, in its footer. */
const samplesVersion = '1';

/** `entries`: the shards of set B, one per part. A candidate without a score has null in both columns. */
export async function writeSamplesC(stage: Stage, entries: readonly ShardEntry[]): Promise<void> {
  const parts = await stage.readTable('samples', 'samples_b');
  const schema: Schema = { ...sampleSchema, teacher_logit: 'FLOAT[]', teacher_rank: 'INTEGER[]' };
  const columns = Object.entries(sampleSchema).map(([name, type]) => `CAST(${name} AS ${type}) AS ${name}`);
  await stage.withDuckdb(async (db) => {
    for (const [i, part] of parts.entries()) {
      const batch = await db.batch(`SELECT ${columns.join(', ')} FROM ${parquetSource(part)}`);
      const scores = readTeacherScores(join(stage.folder, teacherFile(entries[i]!)));
      const { offsets } = batch.columns.item_ids as ListColumn; // a list by the schema above
      if (offsets.at(-1) !== scores.logit.length)
        internal(`${part} has ${offsets.at(-1)} candidates, its scores ${scores.logit.length}`);
      const nulls = Uint8Array.from(scores.rank, (rank) => (rank === noRank ? 1 : 0));
      const withScores = {
        rows: batch.rows,
        columns: {
          ...batch.columns,
          teacher_logit: { offsets, child: { values: scores.logit, nulls } },
          teacher_rank: { offsets, child: { values: scores.rank, nulls } },
        },
      };
      await stage.write(
        `samples_c/${basename(part)}`,
        (path) => writeBatches(db, schema, [withScores], path, { schema_version: samplesVersion }),
        samplesVersion,
      );
    }
  });
}
