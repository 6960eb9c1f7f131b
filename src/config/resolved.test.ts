import { expect, test } from 'vitest';
import { configFile, load, smallPipeline } from '../../test/support/pipeline.js';
import { initText } from './document.js';
import { loadConfig } from './load.js';
import { countByOrigin, resolvedText } from './resolved.js';
import { starterKinds } from './starters.js';

test('the resolved file says where each value comes from', () => {
  const text = resolvedText(load(`seed: 4\n${smallPipeline}`, 'towers.width=8', 'eval.cutoffs=[3]'));
  expect(text).toContain('\nseed: 4 # pipeline.yaml:1\n');
  expect(text).toContain('\n  width: 8 # --set\n');
  expect(text).toContain('\n  cutoffs: [3] # --set\n');
  expect(text).toContain('\n    - name: user_id # pipeline.yaml:4\n');
  expect(text).toContain('\n  context: [] # default\n');
});

test.each(starterKinds)('loaded again, a resolved file of %s logs gives the same config', (kind) => {
  // Texts that YAML would read as something else, and a mapping in the user's own words.
  const sets = ["samples.split={kind: dates, validation_from: '2024-01-05', test_from: '2024-01-08'}"];
  if (kind === 'tables') sets.push('logs.requests.columns={request_id: "on", user_id: "a: b # c"}');
  if (kind === 'taobao') sets.push("logs.negatives.parts_from=['2024-01-05', '2024-01-08']");
  const first = loadConfig({ file: configFile(initText(kind)), sets, run: '1e3' });
  const again = loadConfig({ file: configFile(resolvedText(first), 'config.yaml') });
  expect(again.config).toEqual(first.config);
  expect(again.yaml).toEqual(first.yaml);
});

test('values are counted by origin', () => {
  const counts = countByOrigin(load(`seed: 4\n${smallPipeline}`, 'towers.width=8', 'eval.cutoffs=[3]'));
  // seed; logs.kind; name, kind and column of two features; sequence
  expect(counts).toMatchObject({ 'pipeline.yaml': 9, '--set': 2 });
  expect(counts.default).toBeGreaterThan(80);
});
