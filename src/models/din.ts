import { tf } from '../engine/tf.js';
import type { DinConfig } from '../config/config.js';
import { sumOverChunks } from '../layers/chunkedSum.js';
import { isLong } from '../layers/chunks.js';
import type { Dimensions } from '../layers/inputs.js';
import { linear, linearInitial } from '../layers/linear.js';
import { mlp, mlpInitial } from '../layers/mlp.js';
import { meanPool } from '../layers/pool.js';
import type { Parameters } from '../engine/state.js';
import type { Ranker } from './ranker.js';

/**
 * Deep interest network: an activation unit weighs each behaviour for the candidate, and an MLP reads the weighted sum beside all else.
 *   a_cj = w2 . ReLU(W1 [t ; h ; t - h ; t * h] + b1) + b2         t: candidate, h: behaviour, shared embeddings; no softmax
 *   v_c  = W Σ_j a_cj h_j                                          [request, candidate, width]
 *   s_c  = MLP([user ; context ; item ; mean pool ; v_c])
 * The sum is not normalised, so that it also counts. W1 over the four parts is kept as three maps: t and h through one each (t - h
 * adds to both), t * h through a third, which is a bilinear product per hidden unit.
 * Source: Zhou et al. 2018 (DIN), section 4.3; the strongest ranker on KuaiRand in reference-experiments.md section 2.
 */
export interface DinOptions {
  readonly teacher: DinConfig;
  readonly dimensions: Dimensions;
  /** Log-odds of the training label rate: the first bias. */
  readonly baseLogit: number;
}

export function dinRanker({ teacher, dimensions, baseLogit }: DinOptions): Ranker {
  const { width, unitHidden } = teacher;
  const { user, context, item, shared } = dimensions;
  const widths = [user + context + item + shared + width, ...teacher.hidden, 1];
  return {
    initial: (stream) => ({
      // One map over the four parts, drawn as such: each has 4 * shared inputs.
      ...unitInitial(shared, unitHidden, stream.uniforms(4 * shared * unitHidden, 1 / Math.sqrt(4 * shared))),
      ...linearInitial('unit/out', { from: unitHidden, to: 1 }, stream),
      ...linearInitial('interest', { from: shared, to: width }, stream),
      ...mlpInitial('mlp', widths, stream),
      bias: { shape: [], values: Float32Array.of(baseLogit) },
    }),
    rank({ user, context, sequence, item }, parameters) {
      const t = item.shared as tf.Tensor3D;
      const { x: h, mask } = sequence;
      const [requests, candidates] = t.shape;
      const unit = {
        ofCandidate: tf.expandDims(linear(parameters, 'unit/candidate', t), 3), // [request, candidate, hidden, 1]
        'unit/behaviour/weight': parameters['unit/behaviour/weight']!,
        'unit/behaviour/bias': parameters['unit/behaviour/bias']!,
        'unit/out/weight': parameters['unit/out/weight']!,
        'unit/out/bias': parameters['unit/out/bias']!,
        scaled: tf.mul(tf.expandDims(t, 2), tf.transpose(parameters['unit/product']!)), // [request, candidate, hidden, shared]
      };
      const behaviours = { h, mask: tf.expandDims<tf.Tensor3D>(mask, 2) };
      const interest = isLong(h.shape[1])
        ? sumOverChunks(weigh, behaviours, unit, behavioursAtATime)
        : weigh(behaviours, unit);
      const vector = linear(parameters, 'interest', interest) as tf.Tensor3D;
      const perCandidate = (x: tf.Tensor2D) => tf.tile(tf.expandDims(x, 1), [1, candidates, 1]);
      const pool = meanPool(h, mask);
      const parts = [perCandidate(user), perCandidate(context), item.x, perCandidate(pool), vector];
      const all = tf.concat(
        parts.filter((part) => part.shape.at(-1)! > 0),
        2,
      );
      const score = tf.reshape(mlp(parameters, 'mlp', widths.length - 1, all), [requests, candidates]);
      return { logits: tf.add<tf.Tensor2D>(score, parameters.bias!), vector };
    },
  };
}

/** Of a long sequence: every candidate has `unit_hidden` numbers a behaviour here. */
const behavioursAtATime = 256;

/**
 * Σ_j a_cj h_j: [request, candidate, shared]. h: [request, behaviour, shared], mask: [request, behaviour, 1]; of the candidates their own
 * part of the unit, [request, candidate, hidden, 1], and t times the product map, [request, candidate, hidden, shared].
 */
function weigh({ h, mask }: Parameters, unit: Parameters): tf.Tensor {
  const [requests, behaviours] = h!.shape as [number, number];
  const [, candidates, unitHidden, shared] = unit.scaled!.shape as [number, number, number, number];
  const ofBehaviour = tf.expandDims(tf.transpose(linear(unit, 'unit/behaviour', h!), [0, 2, 1]), 1); // [request, 1, hidden, behaviour]
  const scaled = tf.reshape(unit.scaled!, [requests, candidates * unitHidden, shared]);
  const product = tf.reshape(tf.matMul(scaled, h!, false, true), [
    requests,
    candidates,
    unitHidden,
    behaviours,
  ]);
  const hidden = tf.relu(tf.add(tf.add(product, ofBehaviour), unit.ofCandidate!));
  const out = tf.reshape(unit['unit/out/weight']!, [1, 1, unitHidden, 1]);
  const weights = tf.mul(
    tf.add(tf.sum(tf.mul(hidden, out), 2), unit['unit/out/bias']!),
    tf.reshape(mask!, [requests, 1, behaviours]),
  ); // [request, candidate, behaviour]
  return tf.matMul(weights, h!);
}

/** W1 of [t ; h ; t - h ; t * h] as maps of t (first and third part), h (second minus third) and t * h (fourth). */
function unitInitial(shared: number, hidden: number, whole: Float32Array) {
  const size = shared * hidden;
  const part = (index: number) => whole.subarray(index * size, (index + 1) * size);
  const difference = part(2);
  return {
    'unit/candidate/weight': { shape: [shared, hidden], values: part(0).map((w, i) => w + difference[i]!) },
    'unit/behaviour/weight': { shape: [shared, hidden], values: part(1).map((w, i) => w - difference[i]!) },
    'unit/behaviour/bias': { shape: [hidden], values: new Float32Array(hidden) },
    'unit/product': { shape: [shared, hidden], values: part(3).slice() },
  };
}
