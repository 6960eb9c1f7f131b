/**
 * Codes chosen by direction: k = argmax_k cos(r, X_k), ties to the lowest index. Codes keep a length of their own (k-means puts them on
 * the mean of their vectors), so that residuals still shrink from level to level.
 * Source: cosine codes of Yu et al. 2021 (ViT-VQGAN), tarq.md 2.6; there both sides are of unit length, which leaves a residual
 * quantiser nothing to subtract in proportion.
 */
import { tf } from '../engine/tf.js';
import type { CodebookConfig } from '../config/config.js';

export type Distance = CodebookConfig['distance'];

/** The code of the nearest direction: [vector, width] x [code, width] -> [vector] int32. A code of length 0 has cosine 0. */
export const nearestDirection = (vectors: tf.Tensor2D, codebook: tf.Tensor2D): tf.Tensor1D =>
  tf.argMax(tf.matMul(vectors, units(codebook), false, true), 1);

/** 1 - cos: [vector, width] x [code, width] -> [vector, code]. */
export const angularDistances = (vectors: tf.Tensor2D, codebook: tf.Tensor2D): tf.Tensor2D =>
  tf.sub(1, tf.matMul(units(vectors), units(codebook), false, true));

const units = (x: tf.Tensor2D): tf.Tensor2D =>
  tf.div(x, tf.sqrt(tf.add(tf.sum(tf.square(x), 1, true), 1e-24)));

/** Rows of [row, width] at unit length; a zero row stays zero. */
export function unitRows(rows: Float32Array, width: number): Float32Array {
  const units = rows.slice();
  for (let at = 0; at < rows.length; at += width) {
    let squares = 0;
    for (let i = at; i < at + width; i++) squares += rows[i]! * rows[i]!;
    const scale = squares > 0 ? 1 / Math.sqrt(squares) : 0;
    for (let i = at; i < at + width; i++) units[i] = rows[i]! * scale;
  }
  return units;
}
