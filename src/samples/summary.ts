/** What the samples stage prints: requests, candidates, labels, what was left out and cut, and how well the vocabularies cover. */
import type { FeatureFit } from '../data/fit.js';
import { splits, type Split } from '../data/shards.js';
import type { StageResult } from '../run/stage.js';
import type { Coverage } from './coverage.js';
import type { SplitCounts, WrittenSet } from './parts.js';
import type { SplitDays } from './settings.js';

/** Why requests and candidates are not in a set, and what was put right; each counted by its own query (leftOut.ts). */
export interface LeftOut {
  readonly requests: number;
  readonly notReady: number;
  readonly shortLists: number;
  readonly notSampled: number;
  readonly forced: number;
  readonly cutLists: number;
  readonly cutCandidates: number;
  readonly candidatesOfCutLists: number;
  readonly listsOverCap: number;
  readonly eventsBeforeTheirRequest: number;
  /** Negatives asked for and not found, by place in `samples.b.negatives`. */
  readonly missingNegatives: readonly { kind: string; asked: number; missing: number }[];
}

export interface Summary {
  readonly days: SplitDays;
  readonly a: WrittenSet;
  readonly b: WrittenSet;
  readonly leftOut: LeftOut;
  readonly behaviours: number;
  readonly fits: readonly FeatureFit[];
  readonly embeddingRows: number;
  readonly coverage: Coverage;
}

export function summarise(summary: Summary): StageResult {
  const { days, a, b, leftOut, behaviours, fits, embeddingRows, coverage } = summary;
  const lines = [
    `days: train before ${days.validationFrom}, validation before ${days.testFrom}, test from then on`,
    ...setLines('A', a),
    ...setLines('B', b),
    ...leftOutLines(leftOut, a, b),
    `sequences: ${count(behaviours)} behaviours`,
    `features: ${count(embeddingRows)} embedding rows`,
    ...fits.map((fit) => featureLine(fit, coverage)),
  ];
  const data = {
    days: { validation_from: days.validationFrom, test_from: days.testFrom },
    a: setData(a),
    b: setData(b),
    left_out: {
      requests: leftOut.requests,
      not_ready: leftOut.notReady,
      b_short_lists: leftOut.shortLists,
      b_not_sampled: leftOut.notSampled,
      b_forced_candidates: leftOut.forced,
      b_cut_lists: leftOut.cutLists,
      b_cut_candidates: leftOut.cutCandidates,
      b_lists_over_cap: leftOut.listsOverCap,
      missing_negatives: leftOut.missingNegatives,
      events_before_their_request: leftOut.eventsBeforeTheirRequest,
    },
    behaviours,
    embedding_rows: embeddingRows,
    features: fits.map(({ name, rows, nullShare }) => ({
      name,
      rows,
      null_share: nullShare,
      out_of_vocabulary: Object.fromEntries(splits.map((split) => [split, coverage.share(name, split)])),
    })),
  };
  return { lines, data };
}

function setLines(name: string, set: WrittenSet): string[] {
  if (set.parts.length === 0) return [`set ${name}: empty`];
  return splits.map((split) => {
    const n = set.counts[split];
    const kinds = Object.entries(n.negatives).filter(([, negatives]) => negatives > 0);
    return [
      `set ${name} ${split}: ${count(n.requests)} requests`,
      `${count(n.candidates)} candidates`,
      `label rate ${rate(n.positives, n.candidates)}`,
      `${percent(n.withoutHistory, n.requests)} of requests without history`,
      ...(n.singles > 0 ? [`${count(n.singles)} with one candidate`] : []),
      ...kinds.map(([kind, negatives]) => `${count(negatives)} ${kind.replaceAll('_', ' ')}`),
    ].join(', ');
  });
}

function leftOutLines(leftOut: LeftOut, a: WrittenSet, b: WrittenSet): string[] {
  const requestsA = splits.reduce((sum, split) => sum + a.counts[split].requests, 0);
  const withoutExposure = leftOut.requests - leftOut.notReady - requestsA;
  const lines: (string | false)[] = [
    leftOut.notReady > 0 &&
      `left out: ${count(leftOut.notReady)} of ${count(leftOut.requests)} requests, whose attribution window reaches past the last request of the log`,
    withoutExposure > 0 && `left out of A: ${count(withoutExposure)} requests without an exposure`,
    leftOut.shortLists > 0 &&
      `left out of B: ${count(leftOut.shortLists)} requests with fewer than two retrieved candidates`,
    leftOut.notSampled > 0 && `left out of B: ${count(leftOut.notSampled)} requests by samples.b.one_in`,
    leftOut.forced > 0 &&
      `left out of B: ${count(leftOut.forced)} candidates that were forced in or not retrieved`,
    leftOut.cutLists > 0 &&
      `cut in B: ${count(leftOut.cutLists)} lists, ${count(leftOut.cutCandidates)} of their ${count(leftOut.candidatesOfCutLists)} candidates`,
    leftOut.listsOverCap > 0 &&
      `longer than samples.b.max_candidates: ${count(leftOut.listsOverCap)} lists, whose exposures and ranked top alone are more; nothing of their rest is kept`,
    leftOut.eventsBeforeTheirRequest > 0 &&
      `${count(leftOut.eventsBeforeTheirRequest)} behaviours are older than the request they came from: taken at the request's time`,
    b.parts.length === 0 &&
      'set B is empty: no request has two logged candidates, so there is nothing to teach or distil on but exposures',
  ];
  const negatives = leftOut.missingNegatives
    .filter(({ missing }) => missing > 0)
    .map(
      ({ kind, asked, missing }) =>
        `${kind} negatives: ${count(missing)} of ${count(asked)} not drawn: too few items to draw from that are valid and no candidates`,
    );
  return [...lines.filter((line) => line !== false), ...negatives];
}

function featureLine({ name, rows, nullShare }: FeatureFit, coverage: Coverage): string {
  const share = (split: Split) => coverage.share(name, split);
  const [validation, test] = [share('validation'), share('test')];
  return [
    rows > 0 ? `  ${name}: ${count(rows)} rows` : `  ${name}: a number`,
    ...(validation !== null && test !== null
      ? [`out of vocabulary ${percent(validation, 1)} of validation, ${percent(test, 1)} of test`]
      : []),
    ...(nullShare > 0 ? [`null in ${percent(nullShare, 1)} of training`] : []),
  ].join(', ');
}

function setData({ counts }: WrittenSet) {
  return Object.fromEntries(splits.map((split) => [split, splitData(counts[split])]));
}

const splitData = (n: SplitCounts) => ({
  requests: n.requests,
  candidates: n.candidates,
  positives: n.positives,
  single_candidate_requests: n.singles,
  requests_without_history: n.withoutHistory,
  negatives: n.negatives,
});

const count = (n: number) => n.toLocaleString('en-US');
const percent = (part: number, whole: number) => `${whole > 0 ? ((100 * part) / whole).toFixed(1) : '0.0'} %`;
const rate = (part: number, whole: number) => (whole > 0 ? (part / whole).toFixed(4) : '–');
