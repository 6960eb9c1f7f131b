/** Codebook alignment on a part of a batch: attended codes of all codes are what it costs. */
import * as tf from '@tensorflow/tfjs';
import { ofThisWorker } from '../engine/workers/wholeBatch.js';
import type { SequenceInput } from '../layers/inputs.js';
import { alignmentLoss, type AlignmentInputs } from '../losses/alignment.js';

export interface AlignmentSettings {
  readonly alignmentAttached: boolean;
  readonly alignmentSharpness: number;
  readonly alignmentRequests: number;
}

interface SampledInputs extends Omit<AlignmentInputs, 'personal'> {
  readonly sequence: SequenceInput;
  /** Attended codes of these requests, per level [request, code, width]. */
  readonly personal: (sequence: SequenceInput) => readonly tf.Tensor3D[];
}

/** Alignment on the first requests of the batch: rows are in random order, so this is an unbiased sample. */
export function sampledAlignment(inputs: SampledInputs, settings: AlignmentSettings): tf.Scalar {
  const sampled = Math.min(inputs.mask.shape[0], ofThisWorker(settings.alignmentRequests));
  const first = <T extends tf.Tensor>(x: T): T =>
    tf.slice(
      x,
      x.shape.map(() => 0),
      [sampled, ...x.shape.slice(1)],
    );
  const { x, vectors, mask } = inputs.sequence;
  return alignmentLoss(
    {
      latent: first(inputs.latent),
      raw: inputs.raw,
      teacher: first(inputs.teacher),
      personal: inputs.personal({
        x: first(x),
        mask: first(mask),
        ...(vectors && { vectors: first(vectors) }),
      }),
      codes: inputs.codes.map(first),
      mask: first(inputs.mask),
    },
    { attached: settings.alignmentAttached, sharpness: settings.alignmentSharpness },
  );
}
