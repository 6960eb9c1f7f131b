import { expect, test } from 'vitest';
import { complaint, features, item, smallPipeline, user, withLines } from '../../../test/support/pipeline.js';

test('without a sequence, everything that looks at behaviours is named', () => {
  expect(complaint(features(`${user}\n${item}`))).toMatchInlineSnapshot(`
    "error  config.contradiction  pipeline.yaml:2:1  features.sequence
           \`features.sequence\` is empty, so that models see no behaviours; \`teacher\`, \`distill.student\`, \`distill.rivals\` cannot work without them.
           Name the item features that describe a behaviour, for example \`sequence: [item_id]\`."
  `);
  const complaintOf = (...sets: string[]) => complaint(features(`${user}\n${item}`), ...sets);
  expect(complaintOf('distill.rivals=[]')).not.toContain('rivals');
  expect(complaintOf('distill.student.kind=tarq')).toContain('`distill.losses.alignment`');
  expect(complaintOf('distill.student.kind=tarq', 'distill.losses.alignment=0')).not.toContain('alignment');
});

test("a student that learns the teacher's vector is as wide", () => {
  const lines = 'distill: {student: {kind: tarq, width: 16}}';
  expect(complaint(withLines(lines))).toMatchInlineSnapshot(`
    "error  config.contradiction  pipeline.yaml:6:33  distill.student.width
           \`distill.student.width\` is 16 and \`teacher.width\` 32: a student of kind tarq learns the teacher's vector (\`distill.losses.alignment\` above 0), which must be as wide as its own.
           Set at: distill.student.width (pipeline.yaml:6:33), teacher.width (default), distill.losses.alignment (default).
           Give both the same width, or set these losses to 0."
  `);
  expect(complaint(withLines(lines), 'teacher.width=16')).toBe('no problem');
  expect(complaint(withLines(lines), 'distill.losses.alignment=0')).toBe('no problem');
  expect(complaint(withLines(lines), 'distill.losses.reconstruction=1')).toContain(
    '`distill.losses.alignment` and `distill.losses.reconstruction` above 0',
  );
  const tangent = withLines('distill: {student: {kind: tangent, width: 16}}');
  expect(complaint(tangent)).toBe('no problem');
  expect(complaint(tangent, 'distill.losses.reconstruction=1')).toContain('a student of kind tangent');
});

test('heads divide the width of teacher and student', () => {
  expect(
    complaint(
      withLines('teacher: {width: 30, heads: 4}\ndistill: {student: {kind: tarq, width: 30, heads: 7}}'),
    ),
  ).toMatchInlineSnapshot(`
      "error  config.contradiction  pipeline.yaml:6:22  teacher.heads
             \`teacher.width\` is 30, which 4 heads do not divide.
             Set at: teacher.heads (pipeline.yaml:6:22), teacher.width (pipeline.yaml:6:11).
             Use 1, 2, 3, 5, 6, 10, 15 heads, or a width that is a multiple of 4.
      error  config.contradiction  pipeline.yaml:7:44  distill.student.heads
             \`distill.student.width\` is 30, which 7 heads do not divide.
             Set at: distill.student.heads (pipeline.yaml:7:44), distill.student.width (pipeline.yaml:7:33).
             Use 1, 2, 3, 5, 6, 10, 15 heads, or a width that is a multiple of 7."
    `);
});

test('a student without any loss on its scores is refused', () => {
  expect(complaint(withLines('distill: {losses: {click_a: 0}}'))).toMatchInlineSnapshot(`
    "error  config.contradiction  pipeline.yaml:6:20  distill.losses.click_a
           \`distill.losses.click_a\`, \`click_b\` and \`tutor\` are all 0: nothing teaches the student to score.
           Set at: distill.losses.click_a (pipeline.yaml:6:20), distill.losses.click_b (default), distill.losses.tutor (default).
           Give at least one of them a weight above 0; \`click_a: 1\` is the default."
  `);
  expect(complaint(withLines('distill: {losses: {click_a: 0, tutor: 0.1}}'))).toBe('no problem');
});

test("the teacher's picks are fewer than the candidates of a list", () => {
  expect(complaint(withLines('eval: {teacher_top: 8}'), 'samples.b.max_candidates=8')).toMatchInlineSnapshot(`
    "error  config.contradiction  pipeline.yaml:6:8  eval.teacher_top
           \`eval.teacher_top\` is 8, but a list of set B holds at most 8 logged candidates (\`samples.b.max_candidates\`): every candidate would be a pick.
           Set at: eval.teacher_top (pipeline.yaml:6:8), samples.b.max_candidates (--set samples.b.max_candidates=8).
           Lower \`eval.teacher_top\` below 8, or raise \`samples.b.max_candidates\`."
  `);
  expect(complaint(withLines('eval: {teacher_top: 8}'), 'samples.b.max_candidates=9')).toBe('no problem');
});

test('lists name a thing once', () => {
  const lines = `eval: {cutoffs: [1, 5, 1], slices: [requests.scene, requests.scene]}
samples: {sequence: {events: [click, click]}}
distill: {rivals: [match_count, match_count]}`;
  expect(complaint(withLines(lines)).match(/names \S+ twice/g)).toEqual([
    'names 1 twice',
    'names requests.scene twice',
    'names click twice',
    'names match_count twice',
  ]);
});

test('a logged teacher has no vector that a student could be drawn to', () => {
  const tarq = ['distill.student.kind=tarq', 'distill.teacher=logged'];
  expect(complaint(smallPipeline, ...tarq)).toMatchInlineSnapshot(`
    "error  config.contradiction  --set distill.teacher=logged  distill.losses.alignment
           \`distill.losses.alignment\` compares the student's vector with the teacher's, and \`distill.teacher: logged\` has scores only.
           Set at: distill.losses.alignment (default), distill.teacher (--set distill.teacher=logged).
           Set \`distill.losses.alignment\` to 0: \`distill.losses.tutor\` is what teaches by scores. Or let a teacher be trained: \`distill.teacher: frozen\`."
  `);
  expect(complaint(smallPipeline, ...tarq, 'distill.losses.reconstruction=1')).toContain(
    '`distill.losses.alignment` and `distill.losses.reconstruction`',
  );
  expect(complaint(smallPipeline, ...tarq, 'teacher.width=16').match(/config\.contradiction/g)).toHaveLength(
    1,
  );
  expect(complaint(smallPipeline, ...tarq, 'distill.losses.alignment=0')).toBe('no problem');
  const tangent = 'distill.teacher=logged';
  expect(complaint(smallPipeline, tangent)).toBe('no problem');
  expect(complaint(smallPipeline, tangent, 'distill.losses.reconstruction=1')).toContain(
    'config.contradiction',
  );
});

test('a logged teacher needs logs with scores', () => {
  const kuairand = smallPipeline.replace('kind: simulate', 'kind: kuairand, source: x');
  expect(complaint(kuairand, 'distill.teacher=logged')).toMatchInlineSnapshot(`
    "error  config.contradiction  --set distill.teacher=logged  distill.teacher
           \`distill.teacher\` is logged, but logs of kind kuairand hold no scores of a ranker.
           Set at: distill.teacher (--set distill.teacher=logged), logs.kind (pipeline.yaml:1:8).
           Let a teacher be trained: \`distill.teacher: frozen\`."
  `);
  expect(complaint(smallPipeline, 'distill.teacher=logged', 'distill.logged_scores.column=teacher_logit'))
    .toMatchInlineSnapshot(`
    "error  config.contradiction  --set distill.logged_scores.column=teacher_logit  distill.logged_scores.column
           The simulation logs what its ranker gave as \`rank_score\`, and no \`teacher_logit\`.
           Set at: distill.logged_scores.column (--set distill.logged_scores.column=teacher_logit), logs.kind (pipeline.yaml:1:8).
           Use \`distill.logged_scores.column: rank_score\`."
  `);
});
