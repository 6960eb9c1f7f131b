import type { tf } from '../engine/tf.js';
import type { Distance } from '../codebooks/direction.js';
import type { Quantised } from '../codebooks/residual.js';
import type { Parameters } from '../engine/state.js';

/** How a student turns items into codes: what is quantised, and with which codebooks. */
export interface ItemCodes {
  /** Part of the student's parameters that holds the codebooks, such as `tarq`. */
  readonly part: string;
  readonly levels: number;
  /** Codes per level. */
  readonly codes: number;
  /** Width of latent and codes. */
  readonly width: number;
  /** What items are coded by (layers/inputs.ts) to what is quantised: [item, coded] -> [item, width]. `own`: parameters of the part. */
  latent(coded: tf.Tensor2D, own: Parameters): tf.Tensor2D;
  /** One [code, width] per level. */
  codebooks(own: Parameters): tf.Tensor2D[];
  quantise(latent: tf.Tensor2D, own: Parameters): Quantised;
  /** What `quantise` chooses codes by. */
  readonly distance: Distance;
  /** The coordinates that each level has for itself; all of them, for every level, without. */
  readonly parts?: readonly Float32Array[] | undefined;
}

/** Name of a level's codebook within its part. */
export const codebookName = (level: number) => `codes/${level}`;

/** Name of the moving average of how many items of a step choose each code; only where codes are moving averages. */
export const usageName = (level: number) => `usage/${level}`;
