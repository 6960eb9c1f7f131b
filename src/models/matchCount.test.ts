import { tf } from '../engine/tf.js';
import { beforeAll, expect, it } from 'vitest';
import { cpu } from '../../test/support/models.js';
import { compile } from '../engine/compile.js';
import { RandomStream } from '../engine/random.js';
import { dimensions } from '../layers/inputs.js';
import { testData } from '../../test/support/encoded.js';
import { matchCount } from './matchCount.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const padding = 2 ** 31 - 1;

it.each([1, 2, 7, 8, 50, 1000])(
  'adds w log(1 + how often the value is in the list), for lists of %s places, traced and eager',
  async (behaviours) => {
    const stream = RandomStream.of(behaviours, 'match counts');
    const [requests, candidates, fields] = [3, 20, 2];
    const values = new Int32Array(requests * fields * behaviours).fill(padding);
    const counts = new Float32Array(values.length);
    const known: Map<number, number>[] = [];
    for (let list = 0; list < requests * fields; list++) {
      const found = new Map<number, number>();
      const length = list === 0 ? behaviours : stream.below(behaviours + 1); // one list is full, the others are padded
      for (let i = 0; i < length; i++) {
        const value = list === 0 ? 3 * i : stream.below(2 * behaviours);
        found.set(value, (found.get(value) ?? 0) + 1);
      }
      known.push(found);
      [...found]
        .toSorted(([a], [b]) => a - b)
        .forEach(([value, count], i) => {
          values[list * behaviours + i] = value;
          counts[list * behaviours + i] = count;
        });
    }
    const unknown = -2;
    const wanted = Int32Array.from({ length: requests * candidates * fields }, (_, i) =>
      i % 7 === 0 ? unknown : i % 7 === 1 ? 3 * (behaviours - 1) : stream.below(3 * behaviours + 2),
    );
    const weights = [0.5, -2];
    const expected = Array.from({ length: requests * candidates }, (_, pair) =>
      weights.reduce((sum, weight, field) => {
        const list = Math.floor(pair / candidates) * fields + field;
        return sum + weight * Math.log1p(known[list]!.get(wanted[pair * fields + field]!) ?? 0);
      }, 0),
    );

    const model = matchCount({ ...dimensions(testData().layout), fields });
    const score = (inputs: Readonly<Record<string, tf.Tensor>>) => ({
      logits: model.score(
        { values: inputs.values!, counts: inputs.counts! },
        { values: inputs.wanted! },
        { weights: tf.div(inputs.weights!, 10) }, // stored at a tenth of what they count (weights.ts)
      ),
    });
    const feeds = { values, counts, wanted, weights: Float32Array.from(weights) };
    const specs = {
      values: { shape: [requests, fields, behaviours], dtype: 'int32' },
      counts: { shape: [requests, fields, behaviours], dtype: 'float32' },
      wanted: { shape: [requests, candidates, fields], dtype: 'int32' },
      weights: { shape: [fields], dtype: 'float32' },
    } as const;
    const eager = score(
      Object.fromEntries(
        Object.entries(specs).map(([name, { shape, dtype }]) => [
          name,
          tf.tensor(feeds[name as keyof typeof feeds], [...shape], dtype),
        ]),
      ),
    ).logits.dataSync();
    const graph = await compile('match', specs, score, cpu);
    const traced = (await graph.run(feeds)).logits!;
    await graph.release();
    expected.forEach((value, pair) => {
      expect(eager[pair]).toBeCloseTo(value, 5);
      expect(traced[pair]).toBeCloseTo(value, 5);
    });
  },
);
