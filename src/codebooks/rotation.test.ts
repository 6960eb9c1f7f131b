import { tf } from '../engine/tf.js';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { valueAndGradients } from '../engine/autodiff.js';
import { RandomStream } from '../engine/random.js';
import { rotated } from './rotation.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

/** The gradient at e when `upstream` is the gradient at the code. */
function arriving(e: tf.Tensor2D, q: tf.Tensor2D, upstream: tf.Tensor2D): Float32Array {
  const { gradients } = valueAndGradients(() => tf.sum<tf.Scalar>(tf.mul(rotated(q, e), upstream)), [e]);
  return gradients[0]!.dataSync() as Float32Array;
}

const row = (...values: number[]) => tf.tensor2d(values, [1, values.length]);
const length = (values: ArrayLike<number>) => Math.hypot(...Array.from(values));
const dot = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a).reduce((sum, value, i) => sum + value * b[i]!, 0);

describe('rotation trick', () => {
  it('has the golden value and gradient (tarq.md 2.8)', () => {
    const e = row(1, 0.5, -0.3);
    const q = row(0.6, 0.9, 0.1);
    rotated(q, e)
      .dataSync()
      .forEach((value, i) => expect(value).toBeCloseTo([0.6, 0.9, 0.1][i]!, 6));
    const gradient = arriving(e, q, row(1, 0, 0));
    [0.794748, -0.477121, -0.146041].forEach((value, i) => expect(gradient[i]).toBeCloseTo(value, 5));
  });

  it('is a rotation and a scale: gradients keep their angle to the vector, and grow by |q|/|e|', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e6 }), (seed) => {
        const stream = RandomStream.of(seed, 'rotation');
        const [e, q, g, h] = Array.from({ length: 4 }, () => stream.normals(5));
        const as = (x: Float32Array | undefined) => tf.tensor2d(x!, [1, 5]);
        const atG = arriving(as(e), as(q), as(g));
        const atH = arriving(as(e), as(q), as(h));
        const scale = length(q!) / length(e!);
        const size = scale * length(g!);
        expect(length(atG) / size).toBeCloseTo(1, 3);
        expect(dot(atG, atH) / size / scale / length(h!)).toBeCloseTo(
          dot(g!, h!) / length(g!) / length(h!),
          3,
        );
        expect(dot(atG, e!) / size / length(e!)).toBeCloseTo(dot(g!, q!) / length(g!) / length(q!), 3);
        rotated(as(q), as(e))
          .dataSync()
          .forEach((value, i) => expect(value).toBeCloseTo(q![i]!, 3));
      }),
      { numRuns: 40 },
    );
  });

  it('passes vectors and codes without a direction straight through, and stays finite for opposite ones', () => {
    const upstream = row(1, 2);
    const of = (e: tf.Tensor2D, q: tf.Tensor2D) => ({
      value: Array.from(rotated(q, e).dataSync()),
      gradient: Array.from(arriving(e, q, upstream)),
    });
    expect(of(row(0, 0), row(3, 4))).toEqual({ value: [3, 4], gradient: [1, 2] });
    expect(of(row(3, 4), row(0, 0))).toEqual({ value: [0, 0], gradient: [1, 2] });
    const opposite = of(row(1, 0), row(-1, 0));
    expect(opposite.value).toEqual([-1, 0]);
    expect(opposite.gradient.every(Number.isFinite)).toBe(true);
  });
});
