/**
 * The one truth about a pipeline's settings: types, defaults, ranges, and the sentence that documents each key. The checks of
 * `load.ts`, the JSON Schema, the commented file of `cascade init` and the TypeScript types all come from here.
 *
 * Keys are snake_case as in YAML; `Config` (config.ts) is the same tree in camelCase. Contradictions between sections are in
 * `contradictions/`. Defaults that are not the literature's come from measurements: see the description.
 */
import * as z from 'zod';
import { codebook } from './schema/codebook.js';
import { distill } from './schema/distill.js';
import { evaluation } from './schema/evaluation.js';
import { features } from './schema/features.js';
import { logs } from './schema/logs.js';
import { bytes, key } from './schema/parts.js';
import { samples } from './schema/samples.js';
import { teacher } from './schema/teacher.js';
import { towers } from './schema/towers.js';
import { training } from './schema/training.js';

export const configSchema = z.strictObject({
  seed: key(
    z
      .int()
      .min(0)
      .max(2 ** 31 - 1)
      .default(1),
    'one run = one seed; scripts/seeds runs several',
  ),
  run: key(z.string().optional(), 'run folder; default runs/<name of this file>'),
  device: key(
    z.enum(['auto', 'cpu', 'webgpu', 'cuda', 'tensorflow']).default('auto'),
    'where training steps run; auto: cuda or webgpu where one works, else cpu (see `cascade doctor`)',
  ),
  threads: key(z.int().min(0).default(0), 'processor threads; 0 = all'),
  memory_limit: key(
    bytes.optional(),
    'memory of the SQL engine; it spills to disk beyond. Left out: 64MB, and as much again for each thread; 2GB is faster by a tenth',
  ),
  logs: key(logs, 'where the logs come from', { kind: 'simulate' }),
  samples: key(samples.prefault({}), 'sets A and B, sequences, split'),
  features: key(features, 'what the models see', {
    user: [{ name: 'user_id', kind: 'id', column: 'requests.user_id' }],
    item: [{ name: 'item_id', kind: 'id', column: 'items.item_id' }],
    sequence: ['item_id'],
  }),
  training: key(training.prefault({}), 'shared by all training stages'),
  towers: key(towers.prefault({}), 'the two towers of every pre-ranker'),
  codebook: key(
    codebook.prefault({}),
    'item codes of the student `tarq`; `prefix` and `tangent` take only item vectors, the start and the gate from here',
  ),
  teacher: key(teacher.prefault({}), 'the ranker that teaches'),
  distill: key(distill.prefault({}), 'student and rivals'),
  eval: key(evaluation.prefault({}), 'metrics and verdict'),
});

/** The settings as YAML spells them, all defaults filled in. */
export type YamlConfig = z.output<typeof configSchema>;
