/** Golden values of the dossiers, gradients against finite differences, and what padding must not do. */
import { tf } from '../engine/tf.js';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { valueAndGradients } from '../engine/autodiff.js';
import { RandomStream } from '../engine/random.js';
import { quantise } from '../codebooks/residual.js';
import { alignmentLoss, type AlignmentInputs } from './alignment.js';
import { autoencoderLoss } from './autoencoder.js';
import { clickLoss } from './click.js';
import { reconstructionLoss } from './reconstruction.js';
import { tutorLoss, type TutorInputs } from './tutor.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const numberOf = (x: tf.Tensor) => x.dataSync()[0]!;
const logit = (p: number) => Math.log(p / (1 - p));
const row = (values: readonly number[]) => tf.tensor2d([...values], [1, values.length]);
const ones = (n: number) => tf.ones<tf.Rank.R2>([1, n]);

/** Central differences of a scalar function of one tensor, against its gradient. */
function checkGradient(f: (x: tf.Tensor) => tf.Scalar, x: tf.Tensor, h = 1e-2, tolerance = 2e-3): void {
  const { gradients } = valueAndGradients(() => f(x), [x]);
  const gradient = gradients[0]!.dataSync();
  const values = Float32Array.from(x.dataSync());
  values.forEach((value, i) => {
    const at = (delta: number) => numberOf(f(tf.tensor(values.with(i, value + delta), x.shape)));
    expect((at(h) - at(-h)) / (2 * h), `element ${i}`).toBeCloseTo(gradient[i]!, -Math.log10(2 * tolerance));
  });
}

describe('click loss', () => {
  // sample-construction.md 11.1: the request's student probabilities for i1..i5, exposed i2 and i4, clicked i4.
  const student = row([0.4, 0.5, 0.3, 0.7, 0.2].map(logit));
  const labels = row([0, 0, 0, 1, 0]);

  it('has the golden values of set B, plain and with incl_prob 0.5 of i5', () => {
    expect(numberOf(clickLoss(student, labels, ones(5), ones(5)))).toBeCloseTo(0.428093, 5);
    expect(numberOf(clickLoss(student, labels, row([1, 1, 1, 1, 2]), ones(5)))).toBeCloseTo(0.393935, 5);
  });

  it('has the golden value of set A', () => {
    const mask = row([0, 1, 0, 1, 0]);
    expect(numberOf(clickLoss(student, labels, ones(5), mask))).toBeCloseTo(0.524911, 5);
  });

  it('is the masked mean, not the mean over padding (cascade-losses-and-metrics.md 9.3)', () => {
    const loss = clickLoss(row([0.2, -1, 2, 0]), row([1, 0, 1, 0]), ones(4), row([1, 1, 1, 0]));
    expect(numberOf(loss)).toBeCloseTo(0.34611, 5);
  });

  it('is finite for extreme logits, and its gradient is sigma(s) - y', () => {
    const extreme = row([1e4, -1e4, 50, -50]);
    const truth = row([0, 1, 1, 0]);
    expect(numberOf(clickLoss(extreme, truth, ones(4), ones(4)))).toBeCloseTo(5000, 0);
    const x = row([0.3, -1.2, 2, 0]);
    const { gradients } = valueAndGradients(() => clickLoss(x, truth, ones(4), ones(4)), [x]);
    const expected = tf.div(tf.sub(tf.sigmoid(x), truth), 4).dataSync();
    gradients[0]!.dataSync().forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, 6));
  });
});

describe('RankFlow tutor loss', () => {
  const inputs = (
    logits: readonly number[],
    teacher: readonly number[],
    top: readonly number[],
  ): TutorInputs => ({
    logits: row(logits),
    teacher: row(teacher),
    topMask: row(top),
    weights: ones(logits.length),
    mask: ones(logits.length),
  });

  it('has the golden values of set C (sample-construction.md 11.1)', () => {
    const c = inputs([0.4, 0.5, 0.3, 0.7, 0.2].map(logit), [0.2, 1.0, 1.5, 0.9, -0.5], [0, 1, 1, 0, 0]);
    expect(numberOf(tutorLoss(c, { alpha: 1, on: 'probabilities' }))).toBeCloseTo(0.709953, 5);
    expect(numberOf(tutorLoss(c, { alpha: 0, on: 'probabilities' }))).toBeCloseTo(0.075072, 5);
    expect(numberOf(tutorLoss(c, { alpha: 0.5, on: 'probabilities' }))).toBeCloseTo(0.392513, 5);
  });

  it('has the golden values of cascade-losses-and-metrics.md 9.3, on probabilities and on logits', () => {
    const p = inputs([0.3, 0.6, 0.2, 0.5].map(logit), [0.9, 0.1, 0.4, 0.2].map(logit), [1, 0, 1, 0]);
    const value = (alpha: number, on: 'probabilities' | 'logits') => numberOf(tutorLoss(p, { alpha, on }));
    expect(value(1, 'probabilities')).toBeCloseTo(0.854355, 5);
    expect(value(0, 'probabilities')).toBeCloseTo(0.185, 5);
    expect(value(0.2, 'probabilities')).toBeCloseTo(0.318871, 5);
    expect(value(0.9, 'probabilities')).toBeCloseTo(0.78742, 5);
    expect(value(1, 'logits')).toBeCloseTo(1.556387, 5);
    expect(value(0, 'logits')).toBeCloseTo(4.731737, 4);
  });

  it('gives no gradient to the teacher and the right one to the student', () => {
    const c = inputs([0.4, -0.5, 1.3, 0.2, -0.1], [0.2, 1.0, 1.5, 0.9, -0.5], [0, 1, 1, 0, 0]);
    checkGradient(
      (x) => tutorLoss({ ...c, logits: x as tf.Tensor2D }, { alpha: 0.5, on: 'logits' }),
      c.logits,
    );
  });

  it('leaves a request without a rest out of the rank part', () => {
    const whole = inputs([0.4, 0.5], [0.2, 1], [1, 1]);
    expect(numberOf(tutorLoss(whole, { alpha: 1, on: 'logits' }))).toBe(0);
    const two = (x: tf.Tensor2D, other: tf.Tensor2D) => tf.concat([x, other], 0);
    const c = inputs([1, 0], [2, 1], [1, 0]);
    const both: TutorInputs = {
      logits: two(c.logits, whole.logits),
      teacher: two(c.teacher, whole.teacher),
      topMask: two(c.topMask, whole.topMask),
      weights: two(c.weights, whole.weights),
      mask: two(c.mask, whole.mask),
    };
    const alone = numberOf(tutorLoss(c, { alpha: 1, on: 'logits' }));
    expect(numberOf(tutorLoss(both, { alpha: 1, on: 'logits' }))).toBeCloseTo(alone, 6);
  });

  it('weighs the rest by 1/incl_prob: a sampled rest has the mean of the whole rest', () => {
    const full = inputs([1, 0.2, 0.2, -0.4], [3, 1, 1, 1], [1, 0, 0, 0]);
    const sampled = { ...inputs([1, 0.2, -0.4], [3, 1, 1], [1, 0, 0]), weights: row([1, 2, 1]) };
    const rank = (c: TutorInputs) => numberOf(tutorLoss(c, { alpha: 1, on: 'logits' }));
    expect(rank(sampled)).toBeCloseTo(rank(full), 6);
  });

  it('does not see padding, whatever stands there', () => {
    fc.assert(
      fc.property(
        fc.array(fc.float({ min: -5, max: 5, noNaN: true }), { minLength: 3, maxLength: 6 }),
        fc.float({ min: -1e4, max: 1e4, noNaN: true }),
        (values, padding) => {
          const n = values.length;
          const c = inputs(
            values,
            values.toReversed(),
            values.map((_, i) => (i < 2 ? 1 : 0)),
          );
          const pad = (x: tf.Tensor2D, value: number) =>
            tf.concat([x, tf.fill<tf.Rank.R2>([1, 2], value)], 1);
          const padded: TutorInputs = {
            logits: pad(c.logits, padding),
            teacher: pad(c.teacher, -padding),
            topMask: pad(c.topMask, 1),
            weights: pad(c.weights, 3),
            mask: pad(ones(n), 0),
          };
          const value = (x: TutorInputs) => numberOf(tutorLoss(x, { alpha: 0.5, on: 'logits' }));
          expect(value(padded)).toBeCloseTo(value(c), 4);
        },
      ),
      { numRuns: 50 },
    );
  });
});

describe('codebook alignment', () => {
  // tarq.md 2.8: one level, raw codes and personal codes of three, one candidate.
  const golden = (): AlignmentInputs => ({
    latent: tf.tensor3d([0.8, 0.1], [1, 1, 2]),
    raw: [tf.tensor2d([0, 0, 1, 0, 0, 1], [3, 2])],
    teacher: tf.tensor3d([1.5, 0.2], [1, 1, 2]),
    personal: [tf.tensor3d([0, 0, 2, 0, 0, 1], [1, 3, 2])],
    codes: [tf.tensor2d([1], [1, 1], 'int32')],
    mask: tf.ones([1, 1]),
  });
  const paper = { attached: true, sharpness: 0 };

  it('has the golden value of the symmetric divergence', () => {
    expect(numberOf(alignmentLoss(golden(), paper))).toBeCloseTo(0.362443, 5);
  });

  /** Six requests of two candidates, two levels of four codes. */
  const random = (): AlignmentInputs => {
    const stream = RandomStream.of(5, 'alignment');
    const normal = (shape: number[]) => tf.tensor(stream.normals(shape.reduce((a, b) => a * b)), shape);
    return {
      latent: normal([6, 2, 3]) as tf.Tensor3D,
      raw: [normal([4, 3]), normal([4, 3])] as tf.Tensor2D[],
      teacher: normal([6, 2, 5]) as tf.Tensor3D,
      personal: [normal([6, 4, 5]), normal([6, 4, 5])] as tf.Tensor3D[],
      codes: [
        tf.tensor2d([0, 1, 2, 3, 0, 1, 2, 2, 3, 0, 1, 3], [6, 2], 'int32'),
        tf.tensor2d([3, 2, 1, 0, 3, 2, 0, 1, 1, 2, 3, 0], [6, 2], 'int32'),
      ],
      mask: tf.tensor2d([1, 1, 1, 0, 1, 1, 1, 1, 0, 1, 1, 1], [6, 2]),
    };
  };

  it.each([paper, { attached: true, sharpness: 0.5 }])(
    'has the gradients of finite differences, indices held fixed: %o',
    (options) => {
      const inputs = random();
      const scaled = options.sharpness === 0;
      // With sharpness the scale is a constant of the gradient; a finite step of one element hardly moves it.
      const tolerance = scaled ? 4e-3 : 5e-2;
      checkGradient(
        (x) => alignmentLoss({ ...inputs, latent: x as tf.Tensor3D }, options),
        inputs.latent,
        1e-2,
        tolerance,
      );
      checkGradient(
        (x) => alignmentLoss({ ...inputs, raw: [x as tf.Tensor2D, inputs.raw[1]!] }, options),
        inputs.raw[0]!,
        1e-2,
        tolerance,
      );
      checkGradient(
        (x) => alignmentLoss({ ...inputs, personal: [x as tf.Tensor3D, inputs.personal[1]!] }, options),
        inputs.personal[0]!,
        1e-2,
        tolerance,
      );
    },
  );

  it.each([0, 8])('does not see padding, whatever stands there (sharpness %d)', (sharpness) => {
    const inputs = random();
    const padding = tf.expandDims(tf.sub(1, inputs.mask), 2);
    const changed = {
      ...inputs,
      latent: tf.add<tf.Tensor3D>(inputs.latent, tf.mul(padding, 5)),
      teacher: tf.sub<tf.Tensor3D>(inputs.teacher, tf.mul(padding, 7)),
    };
    const options = { attached: false, sharpness };
    expect(numberOf(alignmentLoss(changed, options))).toBeCloseTo(
      numberOf(alignmentLoss(inputs, options)),
      6,
    );
  });

  it('gives nothing to the teacher, and detached nothing to the raw side', () => {
    const inputs = random();
    const gradientOf = (x: tf.Tensor, attached: boolean) =>
      numberOf(
        tf.norm(
          valueAndGradients(() => alignmentLoss(inputs, { attached, sharpness: 8 }), [x]).gradients[0]!,
        ),
      );
    expect(gradientOf(inputs.teacher, true)).toBe(0);
    expect(gradientOf(inputs.latent, true)).toBeGreaterThan(0);
    expect(gradientOf(inputs.latent, false)).toBe(0);
    expect(gradientOf(inputs.raw[0]!, false)).toBe(0);
    expect(gradientOf(inputs.personal[0]!, false)).toBeGreaterThan(0);
  });

  it('with sharpness does not depend on the scale of either side', () => {
    const inputs = random();
    const scaled = {
      ...inputs,
      latent: tf.mul<tf.Tensor3D>(inputs.latent, 100),
      raw: inputs.raw.map((x) => tf.mul<tf.Tensor2D>(x, 100)),
      teacher: tf.mul<tf.Tensor3D>(inputs.teacher, 0.01),
      personal: inputs.personal.map((x) => tf.mul<tf.Tensor3D>(x, 0.01)),
    };
    const options = { attached: false, sharpness: 8 };
    expect(numberOf(alignmentLoss(scaled, options))).toBeCloseTo(numberOf(alignmentLoss(inputs, options)), 3);
  });

  it('takes the scale of a request from its own candidates, so that requests add up', () => {
    const inputs = random();
    const total = (requests: number[]) => {
      const of = <T extends tf.Tensor>(x: T) => tf.gather(x, requests);
      const [latent, teacher, mask] = [of(inputs.latent), of(inputs.teacher), of(inputs.mask)];
      const [personal, codes] = [inputs.personal.map(of), inputs.codes.map(of)];
      const options = { attached: false, sharpness: 8 };
      const loss = alignmentLoss({ latent, raw: inputs.raw, teacher, personal, codes, mask }, options);
      return numberOf(loss) * numberOf(tf.sum(mask));
    };
    const apart = [0, 1, 2, 3, 4, 5].reduce((sum, request) => sum + total([request]), 0);
    expect(total([0, 1, 2, 3, 4, 5]) / apart).toBeCloseTo(1, 5);
  });

  it('is finite for a request without candidates, or whose vectors are all zero', () => {
    const inputs = random();
    const none = { ...inputs, mask: tf.zerosLike(inputs.mask) };
    expect(numberOf(alignmentLoss(none, { attached: false, sharpness: 8 }))).toBe(0);
    const zeros = {
      ...inputs,
      teacher: tf.zerosLike(inputs.teacher),
      personal: inputs.personal.map((x) => tf.zerosLike(x)),
    };
    expect(numberOf(alignmentLoss(zeros, { attached: false, sharpness: 8 }))).toBeLessThan(100);
  });
});

describe('reconstruction', () => {
  it('is half the mean squared distance over real candidates, the teacher a constant', () => {
    const student = tf.tensor3d([1, 2, 3, 4, 9, 9], [1, 3, 2]);
    const teacher = tf.tensor3d([0, 2, 3, 2, 0, 0], [1, 3, 2]);
    const mask = row([1, 1, 0]);
    expect(numberOf(reconstructionLoss(student, teacher, mask))).toBeCloseTo((1 + 4) / 2 / 2, 6);
    const { gradients } = valueAndGradients(
      () => reconstructionLoss(student, teacher, mask),
      [student, teacher],
    );
    expect(Array.from(gradients[0]!.dataSync())).toEqual([0.5, 0, 0, 1, 0, 0]);
    expect(numberOf(tf.norm(gradients[1]!))).toBe(0);
  });
});

describe('RQ-VAE loss', () => {
  const stream = RandomStream.of(6, 'rq-vae');
  const target = tf.tensor2d(stream.normals(8), [4, 2]);
  const codebooks = [tf.tensor2d(stream.normals(6), [3, 2]), tf.tensor2d(stream.normals(6, 0.3), [3, 2])];
  const mask = tf.tensor1d([1, 1, 1, 0]);
  const decode = (x: tf.Tensor2D) => tf.mul<tf.Tensor2D>(x, 1.5);
  const loss = (
    latent: tf.Tensor2D,
    commitment: number,
    gradient: 'straight_through' | 'rotation' = 'straight_through',
  ) => autoencoderLoss(target, latent, quantise(latent, codebooks), decode, { commitment, gradient }, mask);

  it('is reconstruction plus codebook and commitment terms of every level, over real vectors', () => {
    const latent = tf.tensor2d(stream.normals(8), [4, 2]);
    const { partialSums, residuals } = quantise(latent, codebooks);
    const squared = (x: tf.Tensor) => numberOf(tf.sum(tf.square(tf.slice(x, [0, 0], [3, 2])))) / 3;
    const reconstruction = squared(tf.sub(target, decode(partialSums.at(-1)!)));
    const levels = squared(residuals[1]!) + squared(residuals[2]!);
    expect(numberOf(loss(latent, 0.25))).toBeCloseTo(reconstruction + 1.25 * levels, 5);
  });

  it('lets the commitment of the last level reach the encoder (tarq.md 2.2, the trap)', () => {
    const latent = tf.tensor2d(stream.normals(8), [4, 2]);
    const difference = (commitment: number) =>
      valueAndGradients(() => loss(latent, commitment), [latent]).gradients[0]!;
    const { residuals } = quantise(latent, codebooks);
    // d/dz of Σ_l |z - sg(sum of l codes)|^2 / 3 is 2 (r^1 + r^2) / 3
    const expected = tf
      .mul(tf.mul(tf.add(residuals[1]!, residuals[2]!), 2 / 3), tf.expandDims(mask, 1))
      .dataSync();
    const actual = tf.sub(difference(1), difference(0)).dataSync();
    actual.forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, 5));
  });

  it('passes the decoder gradient straight through to the latent', () => {
    const latent = tf.tensor2d(stream.normals(8), [4, 2]);
    const { gradients } = valueAndGradients(() => loss(latent, 0), [latent]);
    const { partialSums } = quantise(latent, codebooks);
    const error = tf.sub(decode(partialSums.at(-1)!), target);
    const expected = tf.mul(tf.mul(error, (2 * 1.5) / 3), tf.expandDims(mask, 1)).dataSync();
    gradients[0]!.dataSync().forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, 5));
  });

  it('counts only the levels that a vector keeps, in the code sum and in the terms', () => {
    const latent = tf.tensor2d(stream.normals(8), [4, 2]);
    const lossOf = (kept: readonly number[] | undefined, books: tf.Tensor2D[], among: readonly number[]) => {
      const options = { commitment: 0.25, gradient: 'straight_through' as const };
      const cut = kept && { kept: tf.tensor1d([...kept]) };
      const quantised = quantise(latent, books);
      const mask = tf.tensor1d([...among]);
      return numberOf(autoencoderLoss(target, latent, quantised, decode, { ...options, ...cut }, mask));
    };
    const first = codebooks.slice(0, 1);
    const all = [1, 1, 1, 1];
    expect(lossOf([2, 2, 2, 2], codebooks, all)).toBeCloseTo(lossOf(undefined, codebooks, all), 5);
    expect(lossOf([1, 1, 1, 1], codebooks, all)).toBeCloseTo(lossOf(undefined, first, all), 5);
    const [head, tail] = [
      [1, 1, 0, 0],
      [0, 0, 1, 1],
    ];
    const apart = (lossOf(undefined, first, head) + lossOf(undefined, codebooks, tail)) / 2;
    expect(lossOf([1, 1, 2, 2], codebooks, all)).toBeCloseTo(apart, 5);
  });

  it('leaves to each part of a product its own coordinates', () => {
    const latent = tf.tensor2d(stream.normals(8), [4, 2]);
    const parts = [tf.tensor2d([[1, 0]]), tf.tensor2d([[0, 1]])];
    const books = codebooks.map((book, level) => tf.mul<tf.Tensor2D>(book, parts[level]!));
    const quantised = { ...quantise(latent, books), parts };
    const reconstruct = (commitment: number) => {
      const options = { commitment, gradient: 'straight_through' as const };
      return autoencoderLoss(target, latent, quantised, decode, options, mask);
    };
    const committed = tf.sub(
      valueAndGradients(() => reconstruct(1), [latent]).gradients[0]!,
      valueAndGradients(() => reconstruct(0), [latent]).gradients[0]!,
    );
    const expected = tf.mul(tf.mul(quantised.residuals[2]!, 2 / 3), tf.expandDims(mask, 1)).dataSync();
    committed.dataSync().forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, 5));
  });

  it('turns the decoder gradient with the rotation trick, the value the same', () => {
    const latent = tf.tensor2d(stream.normals(8), [4, 2]);
    expect(numberOf(loss(latent, 0.25, 'rotation'))).toBeCloseTo(numberOf(loss(latent, 0.25)), 4);
    const { gradients } = valueAndGradients(() => loss(latent, 0, 'rotation'), [latent]);
    const { partialSums } = quantise(latent, codebooks);
    const code = partialSums.at(-1)!;
    const error = tf.mul(tf.sub(decode(code), target), (2 * 1.5) / 3).arraySync() as [number, number][];
    // In the plane: λ R^T is the complex number that takes the code to the vector, |q|/|e| long.
    const vectors = latent.arraySync() as [number, number][];
    const codes = code.arraySync() as [number, number][];
    const actual = gradients[0]!.arraySync() as [number, number][];
    for (const i of [0, 1, 2]) {
      const [[e0, e1], [q0, q1], [g0, g1]] = [vectors[i]!, codes[i]!, error[i]!];
      const scale = 1 / (e0 * e0 + e1 * e1);
      const [cos, sin] = [(e0 * q0 + e1 * q1) * scale, (e1 * q0 - e0 * q1) * scale];
      expect(actual[i]![0]).toBeCloseTo(cos * g0 - sin * g1, 4);
      expect(actual[i]![1]).toBeCloseTo(sin * g0 + cos * g1, 4);
    }
    expect(actual[3]).toEqual([0, 0]);
  });
});
