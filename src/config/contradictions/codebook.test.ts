import { expect, test } from 'vitest';
import { complaint, simulated, smallPipeline } from '../../../test/support/pipeline.js';

test('more codes than simulated items are refused', () => {
  expect(complaint(simulated('items: 100, groups: 8, categories: 4'), 'codebook.codes=101'))
    .toMatchInlineSnapshot(`
    "error  config.contradiction  --set codebook.codes=101  codebook.codes
           \`codebook.codes\` is 101, but the simulated catalogue has only 100 items; most codes would stay unused.
           Set at: codebook.codes (--set codebook.codes=101), logs.items (pipeline.yaml:1:24).
           Lower \`codebook.codes\` well below 100, or raise \`logs.items\`."
  `);
  expect(complaint(simulated('items: 100, groups: 8, categories: 4'), 'codebook.codes=100')).toBe(
    'no problem',
  );
});

test('a balanced assignment has at least one item for each code', () => {
  const sinkhorn = (items: number) =>
    complaint(
      smallPipeline,
      'codebook.assignment.kind=sinkhorn',
      'codebook.codes=512',
      `codebook.items_per_step=${items}`,
    );
  expect(sinkhorn(511)).toMatchInlineSnapshot(`
    "error  config.contradiction  --set codebook.assignment.kind=sinkhorn  codebook.assignment.kind
           \`codebook.assignment.kind: sinkhorn\` gives every code the same number of items, but a step has 511 items for 512 codes.
           Set at: codebook.assignment.kind (--set codebook.assignment.kind=sinkhorn), codebook.codes (--set codebook.codes=512), codebook.items_per_step (--set codebook.items_per_step=511).
           Raise \`codebook.items_per_step\` to 512 or, better, several times that, or lower \`codebook.codes\`."
  `);
  expect(sinkhorn(512)).toBe('no problem');
});

test('moving averages and a balanced assignment are not for each other', () => {
  expect(complaint(smallPipeline, 'codebook.assignment.kind=sinkhorn', 'codebook.updates.kind=ema'))
    .toMatchInlineSnapshot(`
    "error  config.contradiction  --set codebook.updates.kind=ema  codebook.updates.kind
           \`codebook.updates.kind: ema\` moves codes to the items that are nearest to them, \`codebook.assignment.kind: sinkhorn\` assigns other ones.
           Set at: codebook.updates.kind (--set codebook.updates.kind=ema), codebook.assignment.kind (--set codebook.assignment.kind=sinkhorn).
           Use \`updates: {kind: gradient}\` with sinkhorn, or \`assignment: {kind: nearest}\` with moving averages."
  `);
});

test('what acts in RQ-VAE steps needs some', () => {
  expect(
    complaint(
      smallPipeline,
      'codebook.assignment.kind=sinkhorn',
      'codebook.quantizer_dropout=0.5',
      'codebook.steps=0',
    ),
  ).toMatchInlineSnapshot(`
    "error  config.contradiction  --set codebook.assignment.kind=sinkhorn  codebook.assignment.kind
           \`codebook.assignment.kind\` acts in RQ-VAE steps only, and \`codebook.steps\` is 0.
           Set at: codebook.assignment.kind (--set codebook.assignment.kind=sinkhorn), codebook.steps (--set codebook.steps=0).
           Raise \`codebook.steps\` (400 is the default), or leave the setting out.
    error  config.contradiction  --set codebook.quantizer_dropout=0.5  codebook.quantizer_dropout
           \`codebook.quantizer_dropout\` acts in RQ-VAE steps only, and \`codebook.steps\` is 0.
           Set at: codebook.quantizer_dropout (--set codebook.quantizer_dropout=0.5), codebook.steps (--set codebook.steps=0).
           Raise \`codebook.steps\` (400 is the default), or leave the setting out."
  `);
});

test('quantizer dropout needs levels to drop', () => {
  expect(complaint(smallPipeline, 'codebook.quantizer_dropout=0.5', 'codebook.levels=1'))
    .toMatchInlineSnapshot(`
    "error  config.contradiction  --set codebook.quantizer_dropout=0.5  codebook.quantizer_dropout
           \`codebook.quantizer_dropout\` is 0.5, but there is one level only: nothing can be dropped.
           Set at: codebook.quantizer_dropout (--set codebook.quantizer_dropout=0.5), codebook.levels (--set codebook.levels=1).
           Raise \`codebook.levels\`, or leave \`codebook.quantizer_dropout\` at 0."
  `);
});

test('the parts of a product have coordinates, and no prefixes', () => {
  expect(
    complaint(smallPipeline, 'codebook.structure=product', 'codebook.levels=4', 'codebook.latent_width=3'),
  ).toMatchInlineSnapshot(`
    "error  config.contradiction  --set codebook.levels=4  codebook.levels
           \`codebook.structure: product\` gives each of 4 levels its own part of the latent, which has 3 coordinates only.
           Set at: codebook.levels (--set codebook.levels=4), codebook.latent_width (--set codebook.latent_width=3), codebook.structure (--set codebook.structure=product).
           Lower \`codebook.levels\` to 3 or less, or raise \`codebook.latent_width\`."
  `);
  expect(complaint(smallPipeline, 'codebook.structure=product', 'codebook.quantizer_dropout=0.5'))
    .toMatchInlineSnapshot(`
    "error  config.contradiction  --set codebook.quantizer_dropout=0.5  codebook.quantizer_dropout
           \`codebook.quantizer_dropout\` is 0.5: it makes the first levels stand for the whole item, but the levels of a product are parts of it.
           Set at: codebook.quantizer_dropout (--set codebook.quantizer_dropout=0.5), codebook.structure (--set codebook.structure=product).
           Use \`structure: residual\`, or leave \`codebook.quantizer_dropout\` at 0."
  `);
  expect(
    complaint(smallPipeline, 'codebook.structure=product', 'codebook.levels=4', 'codebook.latent_width=4'),
  ).toBe('no problem');
});
