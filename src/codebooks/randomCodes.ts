import type { RandomStream } from '../engine/random.js';
import { overResiduals, type Clusters, type ResidualCodes } from './kmeans.js';
import { assign } from './nearest.js';

/**
 * First codes without structure: normal draws with the mean and the spread, per coordinate, of what the levels before have left. They
 * have the scale of what they quantise and know nothing else of it, so they are the control for every start that looks at the data.
 * vectors: [vector, width]. Returns one [code, width] per level.
 */
export function randomCodes(
  vectors: Float32Array,
  width: number,
  { levels, codes, distance, parts }: ResidualCodes,
  stream: RandomStream,
  weights?: Float64Array,
): Float32Array[] {
  const draw = (residuals: Float32Array): Clusters => {
    const { mean, deviation } = moments(residuals, width, weights);
    const centres = Float32Array.from(
      { length: codes * width },
      (_, i) => mean[i % width]! + deviation[i % width]! * stream.normal(),
    );
    return { centres, nearest: assign(residuals, centres, width, distance).nearest };
  };
  return overResiduals(vectors, width, levels, draw, parts);
}

/** Mean and standard deviation of each coordinate. */
function moments(vectors: Float32Array, width: number, weights?: Float64Array) {
  const count = vectors.length / width;
  const weight = (i: number) => weights?.[i] ?? 1;
  let total = 0;
  for (let i = 0; i < count; i++) total += weight(i);
  const mean = new Float64Array(width);
  vectors.forEach((value, i) => (mean[i % width]! += (weight(Math.floor(i / width)) * value) / total));
  const variance = new Float64Array(width);
  vectors.forEach((value, i) => {
    variance[i % width]! += (weight(Math.floor(i / width)) * (value - mean[i % width]!) ** 2) / total;
  });
  return { mean, deviation: variance.map(Math.sqrt) };
}
