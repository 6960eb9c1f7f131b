/**
 * The models of a pipeline by the names that metrics use. Every pre-ranker is a two-tower backbone plus terms; each name says here
 * what it is made of and what its batches must carry.
 */
import { lossWeights } from '../config/lossWeights.js';
import type { Config, StudentConfig, TarqConfig } from '../config/config.js';
import type { BatchNeeds } from '../data/batches.js';
import type { InputLayout } from '../data/inputLayout.js';
import { dimensions, type Dimensions } from '../layers/inputs.js';
import { attentionRanker } from './attentionRanker.js';
import { attentionCodes, codeAttention } from './codeAttention.js';
import { dinRanker } from './din.js';
import { autoencoderCodes } from './itemAutoencoder.js';
import type { ItemCodes } from './itemCodes.js';
import { matchCount } from './matchCount.js';
import type { PreRanker } from './preRanker.js';
import { rawCosine } from './rawCosine.js';
import { sumOf } from './sum.js';
import { tarqTerm } from './tarq.js';
import { withTerms, type Ranker } from './ranker.js';
import { twoTower, type SequenceEncoder } from './twoTower.js';

export const preRankerNames = [
  'two_tower',
  'two_tower_cosine',
  'two_tower_cosine_recency',
  'match_count',
  'student_tarq',
  'student_prefix',
  'student_tangent',
] as const;
export type PreRankerName = (typeof preRankerNames)[number];

export interface NamedModel {
  readonly model: PreRanker;
  readonly needs: BatchNeeds;
}

/** The name of the student that a config selects. */
export const studentName = (config: Config): PreRankerName => `student_${config.distill.student.kind}`;

/** All pre-rankers that `distill` trains, the baseline first and the student last. */
export const trainedPreRankers = (config: Config): PreRankerName[] => [
  'two_tower',
  ...config.distill.rivals,
  studentName(config),
];

/** What models are built from beside the config. */
export interface ModelFrame {
  readonly layout: InputLayout;
  /** Log-odds of the training label rate: the first bias. */
  readonly baseLogit: number;
}

export function preRanker(name: PreRankerName, config: Config, frame: ModelFrame): NamedModel {
  const dims = dimensions(frame.layout);
  const towers = towersOf(config, frame, { kind: 'mean_pool' });
  const plain = { matchCounts: false };
  switch (name) {
    case 'two_tower':
      return { model: sumOf({ towers }), needs: plain };
    case 'two_tower_cosine':
      return { model: sumOf({ towers, cosine: rawCosine(dims, { recency: false }) }), needs: plain };
    case 'two_tower_cosine_recency':
      return { model: sumOf({ towers, cosine: rawCosine(dims, { recency: true }) }), needs: plain };
    case 'match_count':
      return { model: sumOf({ towers, match: matchCount(dims) }), needs: { matchCounts: true } };
    case 'student_tarq':
    case 'student_prefix':
    case 'student_tangent':
      return student(config, frame);
  }
}

/** The student's own term on its backbone, and the cheap terms that the config gives it. */
function student(config: Config, frame: ModelFrame): NamedModel {
  const { student } = config.distill;
  const dims = dimensions(frame.layout);
  const term =
    student.kind === 'tarq'
      ? { tarq: tarqOf(config, student, frame) }
      : {
          attention: codeAttention({
            student,
            dimensions: dims,
            projectionHidden: config.towers.width,
            losses: lossWeights(config.distill),
          }),
        };
  const model = sumOf({ towers: studentTowers(config, frame), ...term, ...cheapTerms(student, dims) });
  return { model, needs: { matchCounts: student.matchCounts, itemVectors: true } };
}

function cheapTerms(
  { rawCosine: pool, matchCounts }: Pick<StudentConfig, 'rawCosine' | 'matchCounts'>,
  dims: Dimensions,
): Record<string, PreRanker> {
  return {
    ...(pool !== 'off' && { cosine: rawCosine(dims, { recency: pool === 'recency' }) }),
    ...(matchCounts && { match: matchCount(dims) }),
  };
}

/** How the student that the config selects codes items. */
export function studentCodes({ distill: { student }, codebook }: Config, { layout }: ModelFrame): ItemCodes {
  const { coded } = dimensions(layout);
  return student.kind === 'tarq' ? autoencoderCodes(codebook, coded) : attentionCodes(student, coded);
}

/** The backbone of the student alone: what the codebook's warm-up trains. */
export const studentBackbone = (config: Config, frame: ModelFrame): PreRanker =>
  sumOf({ towers: studentTowers(config, frame) });

/** The teacher, and what its batches must carry. */
export interface Teacher {
  readonly ranker: Ranker;
  readonly needs: BatchNeeds;
}

export function teacherModel({ teacher, towers }: Config, { layout, baseLogit }: ModelFrame): Teacher {
  const dims = dimensions(layout);
  const cheap = cheapTerms(teacher, dims);
  const ranker =
    teacher.kind === 'din'
      ? dinRanker({ teacher, dimensions: dims, baseLogit })
      : attentionRanker({
          teacher,
          dimensions: dims,
          towers: twoTower({ towers, dimensions: dims, sequence: { kind: 'mean_pool' }, baseLogit }),
          projectionHidden: towers.width,
        });
  return {
    ranker: Object.keys(cheap).length === 0 ? ranker : withTerms(ranker, sumOf(cheap)),
    needs: { matchCounts: teacher.matchCounts },
  };
}

const towersOf = (config: Config, { layout, baseLogit }: ModelFrame, sequence: SequenceEncoder): PreRanker =>
  twoTower({ towers: config.towers, dimensions: dimensions(layout), sequence, baseLogit });

function studentTowers(config: Config, frame: ModelFrame): PreRanker {
  const { student } = config.distill;
  if (student.kind !== 'tarq' || student.sequence === 'mean_pool')
    return towersOf(config, frame, { kind: 'mean_pool' });
  return towersOf(config, frame, { kind: student.sequence, width: student.width, heads: student.heads });
}

function tarqOf(
  { codebook, towers, distill }: Config,
  student: TarqConfig,
  { layout }: ModelFrame,
): PreRanker {
  return tarqTerm({
    student,
    codebook,
    dimensions: dimensions(layout),
    projectionHidden: towers.width,
    losses: lossWeights(distill),
  });
}
