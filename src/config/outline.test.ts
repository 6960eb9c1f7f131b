import { expect, test } from 'vitest';
import { branchFor, jsonSchema, outline, outlineAt, sectionsWith, type Outline } from './outline.js';

/** Every node of the schema with its path. */
function* nodes(node: Outline, path = '(root)'): Generator<[string, Outline]> {
  yield [path, node];
  for (const [key, child] of Object.entries(node.properties ?? {})) yield* nodes(child, `${path}.${key}`);
  for (const branch of [...(node.oneOf ?? []), ...(node.anyOf ?? [])]) yield* nodes(branch, `${path}|`);
  if (node.items) yield* nodes(node.items, `${path}[]`);
}

const all = [...nodes(outline)];

test('every key is described', () => {
  const silent = all.flatMap(([path, { properties }]) =>
    Object.entries(properties ?? {})
      .filter(([, child]) => !child.description)
      .map(([key]) => `${path}.${key}`),
  );
  expect(all.length).toBeGreaterThan(150);
  expect(silent).toEqual([]);
});

test('every key that must be given has an example', () => {
  const bare = all.flatMap(([path, { properties, required }]) =>
    (required ?? [])
      .filter((key) => key !== 'kind' && properties?.[key]?.examples === undefined)
      .map((key) => `${path}.${key}`),
  );
  expect(bare).toEqual([]);
});

test('an editor accepts a partial file: a key with a default is never required, and no other key is allowed', () => {
  expect(outline.required).toEqual(['logs', 'features']);
  for (const [path, { properties, required, additionalProperties }] of all) {
    for (const key of required ?? []) expect([path, properties?.[key]?.default]).toEqual([path, undefined]);
    if (properties) expect([path, additionalProperties]).toEqual([path, false]);
  }
});

test('the JSON Schema names its dialect and holds no bounds that mean nothing', () => {
  expect(jsonSchema()).toMatchObject({
    $schema: expect.stringContaining('2020-12') as string,
    type: 'object',
  });
  expect(JSON.stringify(outline)).not.toContain(String(Number.MAX_SAFE_INTEGER));
  expect(outline.properties?.threads).toMatchObject({ type: 'integer', minimum: 0, default: 0 });
});

test('the value decides which kind applies, and without one the usual kind does', () => {
  const optimizer = outlineAt(['training', 'optimizer'], {})!;
  expect(Object.keys(branchFor(optimizer, { kind: 'sgd' }).properties ?? {})).toContain('momentum');
  expect(Object.keys(branchFor(optimizer, { momentum: 1 }).properties ?? {})).toContain('beta1');
  expect(
    outlineAt(['training', 'optimizer', 'momentum'], { training: { optimizer: { kind: 'sgd' } } })?.default,
  ).toBe(0);
  expect(outlineAt(['training', 'optimizer', 'momentum'], {})).toBeUndefined();
});

test('a key is found in all sections that have it', () => {
  expect(sectionsWith('learning_rate')).toEqual(['training.optimizer', 'codebook']);
  expect(sectionsWith('buckets')).toEqual(['features.user[]', 'features.item[]', 'features.context[]']);
  expect(sectionsWith('seed')).toEqual(['']);
});
