/**
 * Samples: from canonical tables to what training reads.
 *
 * In:  logs/requests, candidates, feedback, behaviours, items, users.
 * Out: samples_a, samples_b   one row per request, candidates as lists; by split (train, validation, test), then request_id; within a
 *                             request logged candidates by item_id, then drawn ones by item_id
 *      sequences              user_id, event_ts, item_id, event_type, sorted; a request sees the first n_behaviours of its user
 *      item_freq              dt, item_id, n_pos, q, log_q: positives of training days before dt
 *      vocabulary, transform.json   the fitted features: all that scoring needs later
 *      encoded/               the same samples as Arrow shards, see data/shards.ts
 * Promise: nothing that a request sees is younger than it; vocabularies, means and popularity know training days only; the same
 * tables give the same bytes, whatever the order of their rows and the number of threads.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '../config/config.js';
import type { Batch } from '../data/columns.js';
import type { Duckdb } from '../data/duckdb.js';
import { Encoder } from '../data/encode.js';
import { createFileTable, createFileTableOf } from '../data/fileTable.js';
import { transformText } from '../data/features.js';
import { fitTransform } from '../data/fit.js';
import { writeQuery } from '../data/parquet.js';
import { indexText, splits } from '../data/shards.js';
import { writeVocabularies } from '../data/vocabulary.js';
import { returnFreed } from '../memory.js';
import { tableNames, type TableName } from '../logs/tables.js';
import type { Stage, StageResult } from '../run/stage.js';
import { chunksOf, rangesOf } from '../samples/chunks.js';
import { Coverage } from '../samples/coverage.js';
import { duckdb } from '../samples/dialect.js';
import { encodeEntities, encodeSequences, encodeSet } from '../samples/encoding.js';
import { featureRelations, featureStatements, featureTables } from '../samples/featureViews.js';
import { countLeftOut, Kept, refuseLongExposures } from '../samples/leftOut.js';
import { writeItemFrequency, writeSet, type WrittenSet } from '../samples/parts.js';
import { readyViews, sourceViews } from '../samples/requests.js';
import { chunkViews, laterViews, sinks, statementOf } from '../samples/script.js';
import { sequenceRowsAsTheyLie } from '../samples/sequences.js';
import type { Range, RangeOf, ScriptSettings, View } from '../samples/settings.js';
import { emptySplit, splitDays } from '../samples/split.js';
import { summarise } from '../samples/summary.js';

/** Version of the tables that this stage writes, in every footer. */
const samplesVersion = '1';

/** Rows of set A that a request is taken for, before they are counted. */
const usualExposures = 16;

/** Of the log, where something is computed of its requests range by range. */
const requestsPerRange = 2 ** 15;

const sequencesFile = 'sequences/part-00000.parquet';

export async function buildSamples(stage: Stage, config: Config): Promise<StageResult> {
  return stage.withDuckdb(async (db) => {
    const files = await readLogs(stage);
    const settings: ScriptSettings = { ...config.samples, seed: config.seed };
    const metadata = { schema_version: samplesVersion, time_zone: config.logs.timeZone };

    await define(db, sourceViews(duckdb, settings, files));
    const ranges = {
      requests: await rangesOf(db, 'request_log', 'request_id', requestsPerRange),
      users: await rangesOf(db, 'behaviour_log', 'user_id'),
    };
    await define(db, readyViews(), ranges);
    const days = splitDays(await usableDays(db), settings.split);
    await define(db, laterViews(duckdb, settings, days), ranges);
    await refuseLongExposures(db, settings.a.maxCandidates, ranges.requests);

    // Before the sets are written, so that a wrong feature is told of at once.
    await define(db, featureTables(files), ranges);
    for (const statement of featureStatements(files)) await db.run(statement);
    const fitted = await fitTransform(db, config.features, settings.sequence, featureRelations);
    const { transform, vocabularies } = fitted;
    await stage.write('transform.json', (temporary) => writeFile(temporary, transformText(transform)));
    await stage.write(
      'vocabulary/part-00000.parquet',
      (temporary) => writeVocabularies(db, transform, vocabularies, temporary, metadata),
      samplesVersion,
    );

    const a = await writeSet(stage, db, 'samples_a', rowsOfA(db, settings), metadata);
    refuseEmptySplits(a, settings);
    const kept = new Kept(settings.b);
    const b = await writeSet(stage, db, 'samples_b', rowsOfB(db, settings, kept), metadata);
    const rows = sinks(duckdb, settings);
    await stage.write(
      sequencesFile,
      (temporary) => writeQuery(db, sequenceRowsAsTheyLie(duckdb), temporary, metadata),
      samplesVersion,
    );
    await writeItemFrequency(stage, db, rows.item_freq, metadata);

    const encoder = new Encoder(transform, vocabularies);
    const users = await encodeEntities(stage, db, encoder, 'users', featureRelations.users);
    const items = await encodeEntities(stage, db, encoder, 'items', featureRelations.items);
    const behaviours = await encodeSequences(stage, db, join(stage.folder, sequencesFile), users, items);
    const entities = { users, items };
    const coverage = new Coverage(transform, entities);
    const shardsA = await encodeSet(
      stage,
      db,
      encoder,
      'a',
      a.parts,
      files.requests,
      entities,
      (part, shard) => {
        coverage.add(part.split, shard);
      },
    );
    const shardsB = await encodeSet(stage, db, encoder, 'b', b.parts, files.requests, entities);
    const sizes = { users: users.count, items: items.count, behaviours };
    const index = indexText({ ...sizes, a: shardsA, b: shardsB });
    await stage.write('encoded/index.json', (temporary) => writeFile(temporary, index));

    return summarise({
      days,
      a,
      b,
      leftOut: await countLeftOut(db, settings, kept, ranges.requests),
      behaviours: sizes.behaviours,
      fits: fitted.fits,
      embeddingRows: transform.rows,
      coverage,
    });
  });
}

async function readLogs(stage: Stage): Promise<Record<TableName, readonly string[]>> {
  const files: Partial<Record<TableName, readonly string[]>> = {};
  for (const table of tableNames) files[table] = await stage.readTable('logs', table);
  return files as Record<TableName, readonly string[]>; // every table name was gone through
}

/** What is computed once lies in files: the SQL engine's own tables would stay in memory, the more of them the longer the log. */
async function define(
  db: Duckdb,
  views: readonly View[],
  ranges?: Readonly<Record<RangeOf, readonly Range[]>>,
): Promise<void> {
  for (const view of views) {
    if (view.inRanges && ranges) {
      const queries = ranges[view.inRanges.of].map(view.inRanges.query);
      await createFileTableOf(db, view.name, queries, view.order ?? []);
    } else if (view.once) await createFileTable(db, view.name, view.query, view.order);
    else await db.run(statementOf(duckdb, view));
  }
  returnFreed(); // what they were computed in
}

async function usableDays(db: Duckdb): Promise<string[]> {
  const rows = await db.rows('SELECT DISTINCT dt FROM ready_requests ORDER BY dt');
  return rows.map((row) => String(row.dt));
}

async function* rowsOfA(db: Duckdb, settings: ScriptSettings): AsyncGenerator<Batch> {
  const chunks = await chunksOf(db, 'used_requests', String(usualExposures));
  for (const chunk of chunks) yield* db.stream(sinks(duckdb, settings, chunk).samples_a);
}

async function* rowsOfB(db: Duckdb, settings: ScriptSettings, kept: Kept): AsyncGenerator<Batch> {
  for (const chunk of await chunksOf(db, 'b_requests', 'n_logged')) {
    await define(db, chunkViews(duckdb, settings, chunk));
    yield* db.stream(sinks(duckdb, settings, chunk).samples_b);
    await kept.add(db);
  }
}

/** A day may have requests and no exposure, so that a split is empty although it has days. */
function refuseEmptySplits({ counts }: WrittenSet, { split }: ScriptSettings): void {
  const empty = splits.filter((name) => counts[name].requests === 0);
  if (empty.length === 0) return;
  const found = splits.map((name) => `${counts[name].requests} in ${name}`).join(', ');
  throw emptySplit(empty, `The log has requests with exposures: ${found}`, split);
}
