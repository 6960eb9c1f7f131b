/** The rooms of src/ by floor, the uppermost first: a room imports itself and rooms of lower floors, no other (README, "Design"). */
const floors = [
  ['commands'],
  ['stages'],
  ['samples', 'train', 'report'],
  ['logs', 'models'],
  ['run', 'losses', 'metrics'],
  ['codebooks', 'layers'],
  ['data'],
  ['engine'],
  ['config'],
  ['errors', 'memory'],
];
const path = (room) => `^src/${room}(/|\\.ts$)`;

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'tests-are-leaves',
      severity: 'error',
      from: { pathNot: '\\.test\\.ts$' },
      to: { path: '\\.test\\.ts$' },
    },
    ...floors.flatMap((rooms, floor) =>
      rooms.map((room) => ({
        name: `${room}-imports-lower-floors`,
        severity: 'error',
        from: { path: path(room), pathNot: '\\.test\\.ts$' },
        to: { path: '^src/', pathNot: [room, ...floors.slice(floor + 1).flat()].map(path) },
      })),
    ),
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
