/**
 * Encodes what training reads (data/shards.ts): users and items once each, sequences as item indices, and every part of the sets as
 * a shard. A shard is made from its Parquet part, so that parts written elsewhere (Spark) are encoded by the same code.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Batch, Column, ListColumn, ScalarColumn } from '../data/columns.js';
import type { Duckdb } from '../data/duckdb.js';
import type { Encoder } from '../data/encode.js';
import { featureSelect } from '../data/featureColumns.js';
import { featuresOf, type FeatureSource } from '../data/features.js';
import { IdIndex } from '../data/idIndex.js';
import { parquetSource } from '../data/parquet.js';
import { behavioursFile, sequencesBytes } from '../data/sequences.js';
import { entitiesBytes, shardBytes, type Entities, type Shard, type ShardEntry } from '../data/shards.js';
import { internal } from '../errors.js';
import type { Stage } from '../run/stage.js';
import type { Part } from './parts.js';

/** Users or items with the way from their ids to their indices. */
export interface IndexedEntities extends Entities {
  readonly index: IdIndex;
}

/** Slots and numbers of every user or item, in ascending order of id. */
export async function encodeEntities(
  stage: Stage,
  db: Duckdb,
  encoder: Encoder,
  source: 'users' | 'items',
  relation: string,
): Promise<IndexedEntities> {
  const id = source === 'users' ? 'user_id' : 'item_id';
  const count = await db.number(`SELECT count(*) FROM ${relation}`);
  const widths = widthsOf(encoder, source);
  const ids = new BigInt64Array(count);
  const slots = new Int32Array(count * widths.slots);
  const numbers = new Float32Array(count * widths.numbers);
  const features = featuresOf(encoder.transform, source);
  // A feature may be named like the id column: a name with a blank cannot be a feature's, and the order is by the column.
  const select = [`r.${id} AS "own id"`, featureSelect(features)].filter(Boolean).join(', ');
  let at = 0;
  for await (const batch of db.stream(`SELECT ${select} FROM ${relation} r ORDER BY r.${id}`)) {
    const encoded = encoder.encode(source, batch);
    ids.set(bigints(batch, 'own id'), at);
    slots.set(encoded.slots, at * widths.slots);
    numbers.set(encoded.numbers, at * widths.numbers);
    at += batch.rows;
  }
  const entities = { count, ids, slots, numbers };
  await writeBytes(stage, `encoded/${source}.arrow`, count, () => entitiesBytes(id, entities, widths));
  return { ...entities, index: new IdIndex(ids) };
}

/**
 * Behaviours of each user, oldest first, from the rows of `sequences` in their order; users without a request or attributes are left out.
 * Returns how many there are.
 */
export async function encodeSequences(
  stage: Stage,
  db: Duckdb,
  path: string,
  users: IndexedEntities,
  items: IndexedEntities,
): Promise<number> {
  const counts = new Int32Array(users.count);
  let behaviours = 0;
  async function* known(): AsyncGenerator<Uint8Array> {
    let last = 0;
    for await (const batch of db.stream(`SELECT user_id, item_id FROM ${parquetSource(path)}`)) {
      const places = users.index.placesOf(bigints(batch, 'user_id'));
      const seen = items.index.placesOf(bigints(batch, 'item_id'));
      let kept = 0;
      places.forEach((user, i) => {
        if (user < 0) return;
        if (user < last) internal(`${path} is not in the order of its users`); // which is that of their indices
        last = user;
        counts[user]!++;
        seen[kept++] = seen[i]!;
      });
      behaviours += kept;
      yield new Uint8Array(seen.buffer, 0, 4 * kept);
    }
  }
  await stage.write(`encoded/${behavioursFile}`, async (temporary) => {
    await writeFile(temporary, known());
    return behaviours;
  });
  await writeBytes(stage, 'encoded/sequences.arrow', users.count, () => sequencesBytes(counts));
  return behaviours;
}

/** The shards of one set; `look` sees each of them. */
export async function encodeSet(
  stage: Stage,
  db: Duckdb,
  encoder: Encoder,
  set: 'a' | 'b',
  parts: readonly Part[],
  requests: readonly string[],
  entities: { users: IndexedEntities; items: IndexedEntities },
  look: (part: Part, shard: Shard) => void = () => undefined,
): Promise<ShardEntry[]> {
  const task = stage.progress.begin(`encode set ${set}`, sum(parts.map((part) => part.requests)), 'requests');
  const entries: ShardEntry[] = [];
  for (const part of parts) {
    const path = join(stage.folder, `samples_${set}`, `${part.name}.parquet`);
    const shard = await encodePart(db, encoder, path, requests, entities);
    const file = `${set}/${part.name}.arrow`;
    await writeBytes(stage, `encoded/${file}`, shard.requests, () =>
      shardBytes(shard, widthsOf(encoder, 'requests')),
    );
    const { split, candidates, positives, maxCandidates } = part;
    entries.push({ file, split, requests: part.requests, candidates, positives, maxCandidates });
    look(part, shard);
    task.update(sum(entries.map((entry) => entry.requests)));
  }
  task.end();
  return entries;
}

async function encodePart(
  db: Duckdb,
  encoder: Encoder,
  path: string,
  requests: readonly string[],
  { users, items }: { users: IndexedEntities; items: IndexedEntities },
): Promise<Shard> {
  const batch = await db.batch(
    `SELECT request_id, user_id, n_behaviours, item_ids, label, stage, weight, incl_prob, draw_prob
     FROM ${parquetSource(path)} ORDER BY request_id`,
  );
  const { offsets, child: itemIds } = list(batch, 'item_ids');
  return {
    requests: batch.rows,
    requestId: bigints(batch, 'request_id'),
    user: known(users.index.placesOf(bigints(batch, 'user_id')), 'user'),
    behaviours: scalar(batch, 'n_behaviours').values as Int32Array, // INTEGER: see sampleSchema, also below
    ...(await encodeRequests(db, encoder, path, batch.rows, requests)),
    offsets,
    items: known(items.index.placesOf(itemIds.values as BigInt64Array), 'item'),
    label: list(batch, 'label').child.values as Int8Array,
    stage: list(batch, 'stage').child.values as Int8Array,
    weight: list(batch, 'weight').child.values as Float32Array,
    inclProb: list(batch, 'incl_prob').child.values as Float32Array,
    drawProb: withNaN(list(batch, 'draw_prob').child),
  };
}

/** Features of the requests of a part, in its order. Ids of a part lie close together, so that most row groups are passed over. */
async function encodeRequests(
  db: Duckdb,
  encoder: Encoder,
  part: string,
  rows: number,
  requests: readonly string[],
) {
  const features = featuresOf(encoder.transform, 'requests');
  if (features.length === 0) return { slots: new Int32Array(0), numbers: new Float32Array(0) };
  const [range] = await db.rows(
    `SELECT min(request_id) AS low, max(request_id) AS high FROM ${parquetSource(part)}`,
  );
  const batch = await db.batch(`
    SELECT ${featureSelect(features)}
    FROM ${parquetSource(requests)} r
    JOIN (SELECT request_id AS id FROM ${parquetSource(part)}) p ON p.id = r.request_id
    WHERE r.request_id BETWEEN ${String(range?.low)} AND ${String(range?.high)}
    ORDER BY r.request_id`);
  if (batch.rows !== rows) internal(`${rows} samples have ${batch.rows} requests`);
  return encoder.encode('requests', batch);
}

// --------------------------------------------------------------------------------------------------------------- pieces

const widthsOf = ({ transform }: Encoder, source: FeatureSource) => ({
  slots: transform.slots[source],
  numbers: transform.numbers[source],
});

async function writeBytes(stage: Stage, file: string, rows: number, bytes: () => Uint8Array): Promise<void> {
  await stage.write(file, async (temporary) => {
    await writeFile(temporary, bytes());
    return rows;
  });
}

/** A null as NaN: the shards have no nulls. */
function withNaN({ values, nulls }: ScalarColumn): Float32Array {
  const out = values as Float32Array; // FLOAT[]: see sampleSchema
  nulls?.forEach((isNull, i) => {
    if (isNull) out[i] = Number.NaN;
  });
  return out;
}

function known(places: Int32Array, what: string): Int32Array {
  return places.includes(-1) ? internal(`a sample has a ${what} that was not encoded`) : places;
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

const column = (batch: Batch, name: string): Column => batch.columns[name] ?? internal(`no column ${name}`);
// Which columns are lists is stated by sampleSchema and by the queries above.
const scalar = (batch: Batch, name: string) => column(batch, name) as ScalarColumn;
const list = (batch: Batch, name: string) => column(batch, name) as ListColumn;
const bigints = (batch: Batch, name: string) => scalar(batch, name).values as BigInt64Array;
