/** Compiles one step and prints how long recording (with passes and encoding) and making the session took: `compileStep.mjs tarq`. */
import * as ort from 'onnxruntime-node';
import { makeBatch, makeStep } from './pipelineSteps.mjs';

let sessionMs = 0;
const create = ort.InferenceSession.create.bind(ort.InferenceSession);
ort.InferenceSession.create = async (...args) => {
  const start = performance.now();
  const session = await create(...args);
  sessionMs = performance.now() - start;
  return session;
};
const { step } = makeStep(process.argv[2]);
const start = performance.now();
const { nodes } = (await step.compileFor(makeBatch())).graph;
console.log(
  JSON.stringify({
    nodes: nodes.length,
    record_ms: performance.now() - start - sessionMs,
    session_ms: sessionMs,
  }),
);
