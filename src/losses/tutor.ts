import { tf } from '../engine/tf.js';
import { overWorkers } from '../engine/workers/wholeBatch.js';

/**
 * RankFlow's tutor loss on set C: the student should hold the teacher's top k above the rest, and give the teacher's values.
 *   top  = mean of p over the teacher's first k      rest = mean of p over the others, weighted by 1/incl_prob
 *   L_rank = softplus(-(top - rest))      L_mse = mean (p - q)^2      L = alpha L_rank + (1 - alpha) L_mse
 * p, q: student's and teacher's logits (clipped to ±13.8, logit(1e-6)), or probabilities.
 * logits, teacher: [request, candidate]; topMask: 1 for the teacher's top k; weights: 1/incl_prob; mask: real candidates that the
 * teacher has a score for; the others are neither top nor rest.
 * Requests whose top or rest is empty add nothing to the rank part and are not counted in it.
 * Source: RankFlow's code, cascade-losses-and-metrics.md 2.2; the weighted rest: sample-construction.md 5.4.
 */
export interface TutorInputs {
  readonly logits: tf.Tensor2D;
  readonly teacher: tf.Tensor2D;
  readonly topMask: tf.Tensor2D;
  readonly weights: tf.Tensor2D;
  readonly mask: tf.Tensor2D;
}

export interface TutorOptions {
  readonly alpha: number;
  readonly on: 'logits' | 'probabilities';
}

const largestLogit = 13.8155;

export function tutorLoss(inputs: TutorInputs, { alpha, on }: TutorOptions): tf.Scalar {
  const value = (logits: tf.Tensor2D) =>
    on === 'logits' ? tf.clipByValue(logits, -largestLogit, largestLogit) : tf.sigmoid(logits);
  const student = value(inputs.logits);
  const teacher = value(inputs.teacher);
  const top = tf.mul<tf.Tensor2D>(inputs.topMask, inputs.mask);
  const rest = tf.mul<tf.Tensor2D>(tf.mul(tf.sub(1, inputs.topMask), inputs.mask), inputs.weights);
  const counts = tf.mul(present(top), present(rest));
  const difference = tf.sub(meanOver(student, top), meanOver(student, rest));
  const rank = tf.div(tf.sum(tf.mul(tf.softplus(tf.neg(difference)), counts)), number(counts));
  const errors = meanOver(tf.square(tf.sub(student, teacher)), inputs.mask);
  const requests = present(inputs.mask);
  const squared = tf.div(tf.sum(tf.mul(errors, requests)), number(requests));
  return tf.add(tf.mul(rank, alpha), tf.mul(squared, 1 - alpha));
}

/** Weighted mean within each request: [request, candidate] -> [request]; 0 where all weights are 0. */
function meanOver(values: tf.Tensor, weights: tf.Tensor2D): tf.Tensor1D {
  const total = tf.sum(weights, 1);
  return tf.div(tf.sum(tf.mul(values, weights), 1), tf.add(total, tf.sub(1, present(weights))));
}

/** 1 for requests with any weight: [request, candidate] -> [request]. */
const present = (weights: tf.Tensor2D): tf.Tensor1D => tf.cast(tf.greater(tf.sum(weights, 1), 0), 'float32');

/** How many requests of the whole batch, at least 1. */
const number = (requests: tf.Tensor): tf.Tensor => tf.maximum(overWorkers(tf.sum(requests)), tf.scalar(1));
