import { expect, test } from 'vitest';
import { complaint, load, smallPipeline } from '../../test/support/pipeline.js';

test('an override beats the file, and the last override beats the others', () => {
  expect(load(`seed: 3\n${smallPipeline}`, 'seed=4', 'seed=5').config.seed).toBe(5);
});

test('values are read as YAML', () => {
  const { config } = load(
    smallPipeline,
    'teacher.recency=true',
    'eval.cutoffs=[2, 3]',
    'logs.time_zone=+08:00',
    'training.optimizer={kind: sgd, momentum: 0.5}',
  );
  expect(config.teacher).toMatchObject({ recency: true });
  expect(config.eval.cutoffs).toEqual([2, 3]);
  expect(config.logs.timeZone).toBe('+08:00');
  expect(config.training.optimizer).toEqual({ kind: 'sgd', learningRate: 0.01, momentum: 0.5 });
});

test('one setting of a section that the file does not mention keeps the usual kind', () => {
  const { config } = load(smallPipeline, 'training.optimizer.learning_rate=0.5');
  expect(config.training.optimizer).toMatchObject({ kind: 'adam', learningRate: 0.5 });
});

test('an element of a list is named by brackets or by a dot', () => {
  const { config } = load(smallPipeline, 'features.user[0].min_count=9', 'features.item.0.nulls=error');
  expect(config.features.user[0]).toMatchObject({ name: 'user_id', minCount: 9 });
  expect(config.features.item[0]).toMatchObject({ name: 'item_id', nulls: 'error' });
});

test('faults of overrides name the override', () => {
  expect(
    complaint(
      smallPipeline,
      'seed',
      '=3',
      'logs.kind.x=3',
      'features.user[1].name=x',
      'logs[0]=x',
      'eval.cutoffs[0]=3',
      'run=[',
      'sede=3',
      'towers.width=wide',
    ),
  ).toMatchInlineSnapshot(`
    "error  config.bad_override  --set seed
           An override is a path, \`=\` and a value.
           For example: --set seed=7, --set training.optimizer.learning_rate=0.01, --set features.user[0].min_count=5.
    error  config.bad_override  --set =3
           An override is a path, \`=\` and a value.
           For example: --set seed=7, --set training.optimizer.learning_rate=0.01, --set features.user[0].min_count=5.
    error  config.bad_override  --set logs.kind.x=3
           \`logs.kind\` is a single value and has no keys below it.
           Set it as a whole: --set logs.kind=….
    error  config.bad_override  --set features.user[1].name=x
           \`features.user\` is a list of 1 in the file: its elements are features.user[0].
           Change one of these, or give the whole list: --set 'features.user=[…]'.
    error  config.bad_override  --set logs[0]=x
           \`logs\` is not a list in the file.
           Name a key, or give a whole list: --set 'logs=[…]'.
    error  config.bad_override  --set eval.cutoffs[0]=3
           \`eval.cutoffs\` is not a list in the file.
           Name a key, or give a whole list: --set 'eval.cutoffs=[…]'.
    error  config.bad_override  --set run=[
           The value is not valid YAML: Flow sequence must end with a ].
           Put it in quotes: --set 'run="…"'.
    error  config.wrong_type  --set towers.width=wide  towers.width
           \`towers.width\` must be a whole number from 1 to 4096; it is the text "wide".
           It means: width of the two vectors (default 64).
    error  config.unknown_key  --set sede=3  sede
           There is no setting \`sede\` at the top level.
           Did you mean \`seed\`?"
  `);
});

test('a changed kind leaves the keys of the old kind, and the message says so', () => {
  expect(
    complaint(
      `${smallPipeline}training: {optimizer: {kind: adamw, weight_decay: 0.1}}\n`,
      'training.optimizer.kind=sgd',
    ),
  ).toMatchInlineSnapshot(`
    "error  config.unknown_key  pipeline.yaml:6:37  training.optimizer.weight_decay
           There is no setting \`weight_decay\` in \`training.optimizer\` of kind \`sgd\`.
           It belongs to kind \`adamw\`. \`--set training.optimizer.kind=sgd\` replaces the kind only: take the keys of the old kind out of the file, or replace the section: --set 'training.optimizer={kind: sgd, …}'."
  `);
});

test('an override cannot reach the prototype of an object', () => {
  expect(complaint(smallPipeline, '__proto__.seed=3')).toContain('config.unknown_key');
  expect(({} as { seed?: number }).seed).toBeUndefined();
});
