/** The passes that every compiled graph goes through, in their order. */
import type { OnnxGraph } from '../onnx.js';
import { broadcasts } from './broadcasts.js';
import { gemmBias } from './gemmBias.js';
import { negations } from './negations.js';
import { Rewriting, type Pass } from './pass.js';
import { reshapes } from './reshapes.js';
import { smallFactors } from './smallFactors.js';

export const passes: readonly Pass[] = [reshapes, gemmBias, broadcasts, smallFactors, negations];

/** The graph after all passes but those named in `without`. */
export function optimise(graph: OnnxGraph, without: readonly string[] = []): OnnxGraph {
  return passes
    .filter((pass) => !without.includes(pass.name))
    .reduce((rewritten, pass, i) => Rewriting.run(rewritten, pass, `p${i}_`), graph);
}
