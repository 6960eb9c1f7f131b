/**
 * The rooms and the one direction of imports (README, "Rooms"):
 *   commands → stages → run, logs, samples, train, report → models, losses, metrics, codebooks → layers, data → engine
 * `config`, `errors` and `ids` may be imported by all and import none of these.
 */
const room = (name) => `^src/${name}(/|\\.ts$)`;
const above = {
  engine: [
    'layers',
    'data',
    'models',
    'losses',
    'metrics',
    'codebooks',
    'run',
    'logs',
    'samples',
    'train',
    'report',
    'stages',
    'commands',
  ],
  layers: [
    'models',
    'losses',
    'metrics',
    'codebooks',
    'run',
    'logs',
    'samples',
    'train',
    'report',
    'stages',
    'commands',
  ],
  data: [
    'models',
    'losses',
    'metrics',
    'codebooks',
    'run',
    'logs',
    'samples',
    'train',
    'report',
    'stages',
    'commands',
  ],
  models: ['run', 'logs', 'samples', 'train', 'report', 'stages', 'commands'],
  losses: ['models', 'run', 'logs', 'samples', 'train', 'report', 'stages', 'commands'],
  metrics: [
    'models',
    'losses',
    'codebooks',
    'run',
    'logs',
    'samples',
    'train',
    'report',
    'stages',
    'commands',
  ],
  codebooks: ['models', 'run', 'logs', 'samples', 'train', 'report', 'stages', 'commands'],
  run: ['stages', 'commands'],
  logs: ['stages', 'commands', 'samples', 'train', 'report'],
  samples: ['stages', 'commands', 'train', 'report'],
  train: ['stages', 'commands', 'logs', 'samples', 'report'],
  report: ['stages', 'commands', 'logs', 'samples', 'train'],
  stages: ['commands'],
};

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'tests-are-leaves',
      severity: 'error',
      from: { pathNot: '\\.test\\.ts$' },
      to: { path: '\\.test\\.ts$' },
    },
    ...Object.entries(above).map(([from, to]) => ({
      name: `imports-point-down-from-${from}`,
      severity: 'error',
      from: { path: room(from), pathNot: '\\.test\\.ts$' },
      to: { path: to.map(room) },
    })),
    {
      name: 'common-rooms-import-no-room',
      severity: 'error',
      from: { path: '^src/(config/|errors\\.ts|ids\\.ts)', pathNot: '\\.test\\.ts$' },
      to: { path: '^src/', pathNot: '^src/(config/|errors\\.ts|ids\\.ts)' },
    },
    {
      name: 'only-the-engine-knows-the-runtime',
      comment: 'Law 6: models import tfjs operations and nothing below them.',
      severity: 'error',
      from: { path: '^src/', pathNot: ['^src/engine/', '\\.test\\.ts$'] },
      to: { path: 'node_modules/onnxruntime-node' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      extensions: ['.ts', '.js'],
      conditionNames: ['import', 'node', 'default', 'types'],
    },
  },
};
