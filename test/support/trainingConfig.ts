/** A config for tests of models and training: the schema's defaults with small sizes, and what a test changes. */
import { camelKeys, type Config } from '../../src/config/config.js';
import { configSchema } from '../../src/config/schema.js';

export function testConfig(changes: Record<string, unknown> = {}): Config {
  const yaml = configSchema.parse(merge(base, changes));
  return { ...camelKeys(yaml), run: '/tmp/none' };
}

/** The same with another kind of student. */
export const studentConfig = (
  kind: 'tarq' | 'prefix' | 'tangent',
  changes: Record<string, unknown> = {},
  losses: Record<string, unknown> = {},
) => testConfig({ distill: { student: { kind, ...students[kind], ...changes }, losses } });

/** Without cheap terms where a test does not ask for them. */
const alone = { raw_cosine: 'off', match_counts: false };
const students = {
  tarq: { width: 8, heads: 2, ...alone },
  prefix: { width: 8, levels: 2, codes: 5, ...alone },
  tangent: { width: 8, codes: 7, ...alone },
};

const base = {
  logs: { kind: 'simulate' },
  features: {
    width: 6,
    init_scale: 0.3,
    user: [{ name: 'user', kind: 'id', column: 'users.user_id' }],
    item: [{ name: 'item', kind: 'id', column: 'items.item_id' }],
    sequence: ['item'],
  },
  towers: { user_hidden: [10], item_hidden: [10], width: 8 },
  training: { rows_per_step: 24, b_rows_per_step: 20 },
  codebook: { levels: 3, codes: 5, latent_width: 7, encoder_hidden: [9], warm_up: 0 },
  teacher: { width: 8, heads: 2 },
  distill: {
    student: { kind: 'tarq', ...students.tarq },
    losses: { alignment_requests: 6, tutor_top: 2 },
  },
};

/** Changes win; a section of another kind takes the place of the whole section. */
function merge(base: unknown, changes: unknown): unknown {
  if (!isRecord(base) || !isRecord(changes)) return changes;
  if ('kind' in changes && changes.kind !== base.kind) return changes;
  return {
    ...base,
    ...Object.fromEntries(Object.entries(changes).map(([key, value]) => [key, merge(base[key], value)])),
  };
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  value !== null && typeof value === 'object' && !Array.isArray(value);
