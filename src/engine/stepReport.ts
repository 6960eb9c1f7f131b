/** What a step tells of itself, read from the outputs of its graph. */
import type { TensorData } from './compiledGraph.js';

export interface StepReport {
  /** Each loss term by name, before its weight. */
  readonly terms: Readonly<Record<string, number>>;
  /** The weighted sum. */
  readonly loss: number;
  /** What part of the loss each term is, its weight included. */
  readonly shares: Readonly<Record<string, number>>;
  /** Norm of the whole gradient before clipping. */
  readonly gradientNorm: number;
  /**
   * Bytes that crossed between host memory and the device's: what the step was fed and gave back, and the state that was brought there
   * and back since the step before. On the processor they are used where they lie.
   */
  readonly bytesMoved: number;
}

type Outputs = Readonly<Record<string, TensorData>>;

/** The report of a step whose numbers are those at place `at` of each output. */
export function stepReport(outputs: Outputs, bytesMoved: number, at = 0): StepReport {
  const loss = outputs.loss![at]!;
  const terms: Record<string, number> = {};
  const shares: Record<string, number> = {};
  for (const [key, data] of Object.entries(outputs)) {
    if (!key.startsWith('term:')) continue;
    const name = key.slice('term:'.length);
    terms[name] = data[at]!;
    shares[name] = (outputs[`weighted:${name}`] ?? data)[at]! / loss;
  }
  return { terms, loss, shares, gradientNorm: outputs.gradient_norm![at]!, bytesMoved };
}

/** Whether the step has only finite numbers: its loss, its gradient and the state that it leaves. */
export const isFiniteStep = (outputs: Outputs, at = 0): boolean =>
  ['loss', 'gradient_norm', 'state_norm'].every((name) => Number.isFinite(outputs[name]![at]));

export const bytesOf = (arrays: readonly TensorData[]): number =>
  arrays.reduce((sum, { byteLength }) => sum + byteLength, 0);
