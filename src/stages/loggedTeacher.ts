/**
 * The teacher of a team whose ranker has scored its candidates already (`distill.teacher: logged`): nothing is trained, set C is made
 * of the scores in the logs.
 * In:  candidates of logs, samples (samples_a, samples_b, encoded index).
 * Out: samples_c (samples_b with teacher_logit and teacher_rank; null where the logs have no score), encoded/b/* (the same for
 *      training), encoded/a/* (exposures of validation and test, for evaluation).
 * Promise: a score belongs to the request that it was given in; ranks count scored candidates only. What the ranker never saw, since
 * the pre-ranker had cut it or it was drawn from the corpus, has no score and teaches nothing.
 */
import type { Config } from '../config/config.js';
import type { ListColumn, ScalarColumn } from '../data/columns.js';
import type { Duckdb } from '../data/duckdb.js';
import type { SetName } from '../data/encodedData.js';
import { parquetSource } from '../data/parquet.js';
import { readIndex, type Split } from '../data/shards.js';
import { CascadeError } from '../errors.js';
import { counted } from '../logs/check.js';
import { WithinGroupShare } from '../metrics/variance.js';
import type { Stage, StageResult } from '../run/stage.js';
import { noRank, teacherFile, teacherRanks, writeTeacherScores } from '../train/teacherScores.js';
import { writeSamplesC } from './samplesC.js';

type Settings = Config['distill']['loggedScores'];

export async function takeLoggedScores(stage: Stage, { distill }: Config): Promise<StageResult> {
  const settings = distill.loggedScores;
  const candidates = parquetSource(await stage.readTable('logs', 'candidates'));
  const index = readIndex(await stage.read('samples', 'encoded/index.json'));
  const found = new ScoreCounts();
  const notes = await stage.withDuckdb(async (db) => {
    const checked = await checkScores(db, candidates, settings);
    for (const set of ['a', 'b'] as const) {
      const parts = await stage.readTable('samples', `samples_${set}`);
      for (const [i, entry] of index[set].entries()) {
        if (set === 'a' && entry.split === 'train') continue; // exposures are scored to be judged only
        const scores = await scoresOf(db, candidates, parts[i]!, settings);
        found.add(set, entry.split, scores);
        await stage.write(teacherFile(entry), (path) => writeTeacherScores(path, scores.offsets, scores));
      }
    }
    return checked;
  });
  found.refuseNone(settings);
  await writeSamplesC(stage, index.b);
  return {
    lines: [...found.lines(settings), ...notes],
    data: { scored: found.counts, withinRequestShare: found.share },
  };
}

// ---------------------------------------------------------------------------------------------------------- the scores

interface Scores {
  readonly offsets: Int32Array; // [request + 1]
  /** NaN = none. */
  readonly logit: Float32Array; // [candidate]
  readonly rank: Int32Array; // [candidate]
}

/** The scores of one part, in the order of its requests and candidates. */
async function scoresOf(db: Duckdb, candidates: string, part: string, settings: Settings): Promise<Scores> {
  const samples = parquetSource(part);
  const { columns } = await db.batch(`SELECT item_ids FROM ${samples} ORDER BY request_id`);
  const { offsets } = columns.item_ids as ListColumn; // BIGINT[]: see sampleSchema
  // Ids of a part lie close together, so that most row groups are passed over.
  const rows = await db.batch(`
    WITH listed AS (
      SELECT request_id, unnest(item_ids) AS item_id, generate_subscripts(item_ids, 1) AS place FROM ${samples}
    ), range AS (SELECT min(request_id) AS low, max(request_id) AS high FROM ${samples}
    ), scored AS (
      SELECT request_id, item_id, CAST(${logitOf(settings)} AS FLOAT) AS logit FROM ${candidates}
      WHERE request_id BETWEEN (SELECT low FROM range) AND (SELECT high FROM range)
    )
    SELECT listed.item_id, logit FROM listed LEFT JOIN scored USING (request_id, item_id) ORDER BY request_id, place`);
  const { values, nulls } = rows.columns.logit as ScalarColumn;
  const itemIds = (rows.columns.item_id as ScalarColumn).values as BigInt64Array;
  const logit = Float32Array.from(values as Float32Array, (value, i) => (nulls?.[i] ? Number.NaN : value));
  return { offsets, logit, rank: teacherRanks(offsets, logit, itemIds) };
}

/** The smallest probability that is told from 0: logit(1e-6) is where the tutor loss clips. */
const least = 1e-6;

/** SQL of a score as log-odds. */
function logitOf({ column, unit }: Settings): string {
  if (unit === 'logit') return column;
  const p = `least(greatest(CAST(${column} AS DOUBLE), ${least}), 1 - ${least})`;
  return `ln(${p} / (1 - ${p}))`;
}

/** Throws where a score cannot be one; returns a note where the unit looks like another. */
async function checkScores(db: Duckdb, candidates: string, { column, unit }: Settings): Promise<string[]> {
  const isSound = unit === 'logit' ? `isfinite(${column})` : `${column} BETWEEN 0 AND 1`; // NaN is above 1
  const [row] = await db.rows(`
    SELECT CAST(count(*) FILTER (NOT ${isSound}) AS INTEGER) AS bad, CAST(count(*) AS INTEGER) AS all_scores,
           first(concat('request_id ', request_id, ', item_id ', item_id, ': ', ${column})
                 ORDER BY request_id, item_id) FILTER (NOT ${isSound}) AS example,
           bool_and(${column} BETWEEN 0 AND 1) AS within
    FROM ${candidates} WHERE ${column} IS NOT NULL`);
  const bad = Number(row?.bad);
  if (bad > 0) {
    throw new CascadeError({
      code: 'data.bad_score',
      where: 'candidates',
      subject: column,
      what: `${counted(bad, 'score')} of ${Number(row?.all_scores).toLocaleString('en-US')} in \`${column}\` ${bad === 1 ? 'is' : 'are'} ${unit === 'logit' ? 'no finite number' : 'no probability'}; for example ${String(row?.example)}.`,
      mend:
        unit === 'logit'
          ? 'Write null where there is no score.'
          : 'Set distill.logged_scores.unit: logit where scores are log-odds, and write null where there is none.',
    });
  }
  return unit === 'logit' && row?.within === true
    ? [
        `note: all scores of ${column} lie from 0 to 1; if they are probabilities, set distill.logged_scores.unit: probability`,
      ]
    : [];
}

// -------------------------------------------------------------------------------------------------------------- counts

interface Count {
  candidates: number;
  scored: number;
}

class ScoreCounts {
  /** By set and split, such as `b train`. */
  readonly counts: Record<string, Count> = {};
  private readonly within = new WithinGroupShare(1);

  add(set: SetName, split: Split, { offsets, logit, rank }: Scores): void {
    const count = (this.counts[`${set} ${split}`] ??= { candidates: 0, scored: 0 });
    for (let r = 0; r + 1 < offsets.length; r++) {
      const own = logit
        .subarray(offsets[r], offsets[r + 1])
        .filter((_, i) => rank[offsets[r]! + i] !== noRank);
      count.candidates += offsets[r + 1]! - offsets[r]!;
      count.scored += own.length;
      if (set === 'b') this.within.add(own, 0, own.length);
    }
  }

  /** Share of the variance of scores that lies within requests. */
  get share(): number | null {
    return this.within.value;
  }

  refuseNone({ column }: Settings): void {
    const { candidates, scored } = this.counts['b train'] ?? { candidates: 0, scored: 0 };
    if (scored > 0) return;
    throw new CascadeError({
      code: 'data.no_scores',
      where: 'candidates',
      subject: column,
      what: `No candidate of set B has a score: \`${column}\` is null for all ${candidates.toLocaleString('en-US')} of its training days.`,
      mend: `Map your column with logs.candidates.columns: { ${column}: <your column> }, name another with distill.logged_scores.column, or let a teacher be trained: distill.teacher: frozen.`,
    });
  }

  lines({ column }: Settings): string[] {
    const percent = ({ candidates, scored }: Count) => `${((100 * scored) / candidates).toFixed(1)} %`;
    return [
      ...Object.entries(this.counts).map(([name, count]) => {
        const [set, split] = name.split(' ');
        return `set ${set!.toUpperCase()} ${split}: ${column} of ${count.scored.toLocaleString('en-US')} of ${counted(count.candidates, 'candidate')}, ${percent(count)}`;
      }),
      `within-request share of the variance of scores ${this.share?.toPrecision(2) ?? '–'}`,
    ];
  }
}
