import { expect, test } from 'vitest';
import { complaint, withLines } from '../../../test/support/pipeline.js';

test('workers share the requests that alignment looks at', () => {
  const tarq = 'distill: {student: {kind: tarq}, losses: {alignment_requests: 6}}';
  expect(complaint(withLines(`training: {workers: 3}\n${tarq}`))).toBe('no problem');
  expect(complaint(withLines(`training: {workers: 4}\n${tarq}`))).toMatchInlineSnapshot(`
    "error  config.contradiction  pipeline.yaml:7:43  distill.losses.alignment_requests
           \`distill.losses.alignment_requests\` is 6, which 4 workers (\`training.workers\`) cannot share evenly.
           Set at: distill.losses.alignment_requests (pipeline.yaml:7:43), training.workers (pipeline.yaml:6:12).
           Use a multiple of 4, for example 8."
  `);
  expect(complaint(withLines(`training: {workers: 2}\n${tarq}`))).toBe('no problem');
  expect(complaint(withLines('training: {workers: 3}'))).toBe('no problem');
});

test('workers keep embedding tables in memory', () => {
  const inFiles = withLines('training: {workers: 2, embeddings: {kind: file}}');
  expect(complaint(inFiles)).toMatchInlineSnapshot(`
    "error  config.contradiction  pipeline.yaml:6:37  training.embeddings.kind
           \`training.embeddings.kind\` is file, and 2 workers (\`training.workers\`) cannot share a file.
           Set at: training.embeddings.kind (pipeline.yaml:6:37), training.workers (pipeline.yaml:6:12).
           Train with one worker, or keep the tables in memory."
  `);
  expect(complaint(inFiles, 'training.workers=1')).toBe('no problem');
});

test('workers take one step at a time', () => {
  const inRuns = withLines('training: {workers: 2, steps_per_run: 4}');
  expect(complaint(inRuns)).toMatchInlineSnapshot(`
    "error  config.contradiction  pipeline.yaml:6:24  training.steps_per_run
           \`training.steps_per_run\` is 4, and 2 workers (\`training.workers\`) meet after every step.
           Set at: training.steps_per_run (pipeline.yaml:6:24), training.workers (pipeline.yaml:6:12).
           Leave \`training.steps_per_run\` out, or train with one worker."
  `);
  expect(complaint(inRuns, 'training.workers=1')).toBe('no problem');
  expect(complaint(inRuns, 'training.steps_per_run=1')).toBe('no problem');
});
