/** The passes that every compiled graph goes through, in their order. */
import type { OnnxGraph } from '../onnx.js';
import { broadcasts } from './broadcasts.js';
import { cancelled } from './cancelled.js';
import { factors } from './factors.js';
import { gemmSums } from './gemmSums.js';
import { leadingSums } from './leadingSums.js';
import { logSoftmax } from './logSoftmax.js';
import { outputs } from './outputs.js';
import { Rewriting, type Pass } from './pass.js';
import { reshapes } from './reshapes.js';
import { scatters } from './scatters.js';
import { shapesOf } from './shapes.js';
import { squares } from './squares.js';

export const passes: readonly Pass[] = [
  reshapes,
  cancelled,
  gemmSums,
  broadcasts,
  factors,
  logSoftmax,
  squares,
  leadingSums,
  scatters,
  outputs,
];

/** The graph after all passes but those named in `without`. */
export function optimise(graph: OnnxGraph, without: readonly string[] = []): OnnxGraph {
  const shapes = shapesOf(graph);
  return passes
    .filter((pass) => !without.includes(pass.name))
    .reduce((rewritten, pass, i) => Rewriting.run(rewritten, pass, `p${i}_`, shapes), graph);
}
