import { expect, expectTypeOf, test } from 'vitest';
import { load, smallPipeline } from '../../test/support/pipeline.js';
import { camelKeys, snakeKeys, type Config, type OptimizerConfig, type StudentConfig } from './config.js';

test('kinds are told apart by type', () => {
  expectTypeOf<OptimizerConfig['kind']>().toEqualTypeOf<'adam' | 'adamw' | 'adagrad' | 'sgd'>();
  expectTypeOf<Extract<OptimizerConfig, { kind: 'sgd' }>['learningRate']>().toEqualTypeOf<number>();
  expectTypeOf<StudentConfig['similarityStart']>().toEqualTypeOf<number>();
  expectTypeOf<Config['run']>().toEqualTypeOf<string>();
  expectTypeOf<Config['training']['bRowsPerStep']>().toEqualTypeOf<number>();
});

test("the code's spelling and the files' spelling are the same tree", () => {
  const { yaml, config } = load(smallPipeline, 'samples.b.negatives=[{kind: uniform, per_request: 3}]');
  expect(config.samples.b.negatives).toEqual([{ kind: 'uniform', perRequest: 3 }]);
  expect(camelKeys(yaml)).toEqual(config);
  expect(snakeKeys(config)).toEqual(yaml);
});

test("the user's own column names are left alone", () => {
  const mapping = { request_id: 'impressionId', item_id: 'doc_id' };
  expect(camelKeys({ max_values: 1, columns: mapping })).toEqual({ maxValues: 1, columns: mapping });
  expect(snakeKeys({ maxValues: 1, columns: mapping })).toEqual({ max_values: 1, columns: mapping });
});
