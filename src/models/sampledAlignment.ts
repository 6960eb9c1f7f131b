/** Codebook alignment on a part of a batch: attended codes of all codes are what it costs. */
import type { tf } from '../engine/tf.js';
import { ofThisWorker } from '../engine/workers/wholeBatch.js';
import { firstRequests } from '../layers/firstRequests.js';
import type { SequenceInput } from '../layers/inputs.js';
import { alignmentLoss, type AlignmentInputs } from '../losses/alignment.js';

export interface AlignmentSettings {
  /** Weight of the term; 0 = it is not computed. */
  readonly alignment: number;
  readonly alignmentAttached: boolean;
  readonly alignmentSharpness: number;
  readonly alignmentRequests: number;
}

/** How many requests of a batch it is computed on. They are the first: rows are in random order, so this is an unbiased sample. */
export const sampledRequests = (requests: number, { alignmentRequests }: AlignmentSettings): number =>
  Math.min(requests, ofThisWorker(alignmentRequests));

export function firstSequences({ x, mask, vectors }: SequenceInput, count: number): SequenceInput {
  const first = firstRequests(count);
  return { x: first(x), mask: first(mask), ...(vectors && { vectors: first(vectors) }) };
}

/** Alignment on the requests that `personal` has attended codes of. */
export function sampledAlignment(inputs: AlignmentInputs, settings: AlignmentSettings): tf.Scalar {
  const first = firstRequests(inputs.personal[0]!.shape[0]);
  return alignmentLoss(
    {
      ...inputs,
      latent: first(inputs.latent),
      teacher: first(inputs.teacher),
      codes: inputs.codes.map(first),
      mask: first(inputs.mask),
    },
    { attached: settings.alignmentAttached, sharpness: settings.alignmentSharpness },
  );
}
