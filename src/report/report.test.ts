import { describe, expect, it } from 'vitest';
import type { MetricRow, ModelName } from '../metrics/metricRow.js';
import type { Verdict } from '../metrics/verdict.js';
import type { ReportInput } from './input.js';
import { reportHtml } from './report.js';

const aucs: Partial<Record<ModelName, number>> = {
  two_tower: 0.7401,
  two_tower_cosine: 0.742,
  two_tower_cosine_recency: 0.743,
  match_count: 0.745,
  student: 0.7712,
  teacher: 0.788,
};
const models = Object.keys(aucs) as ModelName[]; // the keys just above

function row(
  model: ModelName,
  metric: string,
  value: number | null,
  more: Partial<MetricRow> = {},
): MetricRow {
  const [low, high] = value === null ? [null, null] : [value - 0.004, value + 0.004];
  return { model, split: 'test', set: 'a', slice: 'all', metric, value, low, high, n: 12_345, ...more };
}

const interval = (value: number) => ({ value, low: value - 0.002, high: value + 0.002 });

const verdict: Verdict = {
  sentence: 'Student .7712 beats the two-tower .7401.',
  facts: {
    metric: 'auc',
    outcome: 'better',
    student: 0.7712,
    baseline: { model: 'two_tower', value: 0.7401, difference: interval(0.0311) },
    rival: { model: 'match_count', value: 0.745, difference: interval(0.0262) },
    teacher: 0.788,
    gap: { ...interval(0.043), open: true },
    closed: { value: 0.61, low: 0.55, high: 0.67 },
  },
};

const example: ReportInput = {
  run: 'quickstart',
  data: 'simulate',
  seed: 1,
  student: 'tarq',
  samples: [
    {
      set: 'a',
      split: 'test',
      from: '2024-01-09',
      to: '2024-01-10',
      requests: 1500,
      candidates: 12_345,
      positives: 2469,
    },
  ],
  verdict,
  metrics: models.flatMap((model) => [
    row(model, 'auc', aucs[model]!),
    row(model, 'logloss', 1.3 - aucs[model]!),
    row(model, 'request_auc', null, { n: 0 }),
    row(model, 'recall@5', 0.5),
    row(model, 'teacher_recall@5', model === 'teacher' ? 1 : 0.6),
    row(model, 'teacher_tau', 0.321),
    row(model, 'auc', aucs[model]! - 0.1, { set: 'b' }),
    row(model, 'auc', 0.6543, { slice: 'scene=1' }),
    row(model, 'auc', 0.1234, { split: 'validation' }),
  ]),
  differences: models
    .filter((model) => model !== 'two_tower')
    .flatMap((model) => [
      { model, set: 'a' as const, metric: 'auc', ...interval(aucs[model]! - 0.7401) },
      { model, set: 'a' as const, metric: 'logloss', ...interval(0.7401 - aucs[model]!) },
    ]),
  calibration: [
    {
      model: 'two_tower',
      bins: [
        { meanPrediction: 0.1, meanLabel: 0.12, n: 10 },
        { meanPrediction: 0.4, meanLabel: 0.35, n: 10 },
      ],
    },
    {
      model: 'student',
      bins: [
        { meanPrediction: 0.1, meanLabel: 0.1, n: 10 },
        { meanPrediction: 0.5, meanLabel: 0.52, n: 10 },
      ],
    },
  ],
  epochs: [1, 2, 3].flatMap((epoch) =>
    models.map((model) => ({ model, epoch, validationAuc: aucs[model]! - 0.02 / epoch })),
  ),
  losses: Array.from({ length: 400 }, (_, step) => ({
    model: 'student' as const,
    term: step % 2 ? 'click_a' : 'alignment',
    step,
    value: 1 / (1 + step),
  })),
  codebook: [
    {
      level: 1,
      codes: 64,
      usage: 0.984,
      ceiling: 1,
      perplexity: 47.3,
      collisions: 0.94,
      relativeError: 0.412,
    },
    {
      level: 2,
      codes: 64,
      usage: 0.5,
      ceiling: 0.75,
      perplexity: 21.2,
      collisions: 0.06,
      relativeError: 0.231,
    },
  ],
  settings: 'seed: 1 # default\n',
};

/** The tags that are not closed, or closed in the wrong order. */
function unclosed(page: string): string[] {
  const open: string[] = [];
  for (const [tag, end, name = '', selfClosed] of page.matchAll(
    /<(\/?)([a-zA-Z][\w-]*)(?:"[^"]*"|[^">])*?(\/?)>/g,
  )) {
    if (selfClosed === '/') continue;
    if (end === '') open.push(name);
    else if (open.pop() !== name) return [tag];
  }
  return open;
}

const line = (page: string, header: string): string =>
  page.split('<tr>').find((part) => part.replace(/\s+/g, ' ').includes(`<th scope="row">${header}`)) ?? '';

describe('the report', () => {
  const page = reportHtml(example);

  it('closes every tag', () => {
    expect(unclosed(page)).toEqual([]);
    expect(unclosed(page.replace('</figure>', ''))).not.toEqual([]); // the check can fail
  });

  it('needs nothing from elsewhere: no address, script, font or picture file', () => {
    expect(page).not.toMatch(/https?:|\bsrc=|\bhref=|@import|@font-face|<script|<link|<img|url\((?!#)/i);
  });

  it('gives the same bytes for the same input, however many charts were drawn before', () => {
    expect(reportHtml(example)).toBe(page);
    expect(page).not.toMatch(/zr\d/);
  });

  it('uses every id once, and only ids that are there', () => {
    const ids = [...page.matchAll(/\sid="([^"]+)"/g)].map(([, id]) => id);
    expect(new Set(ids).size).toBe(ids.length);
    const used = [...page.matchAll(/url\(#([^)]+)\)/g)].map(([, id]) => id);
    expect(used.length).toBeGreaterThan(0);
    expect(used.filter((id) => !ids.includes(id))).toEqual([]);
  });

  it('opens with the verdict and its numbers', () => {
    expect(page.indexOf(verdict.sentence)).toBeLessThan(page.indexOf('<svg'));
    expect(page).toMatch(/Gap closed<\/dt>\s*<dd>\s*61 %\s*<span class="interval">\s*\[55 %, 67 %\]/);
    expect(page).toContain('<p class="verdict better">');
  });

  it('has every model in the table and in the pictures, with value and interval', () => {
    for (const model of models) {
      expect(page).toContain(`<code>${model}</code>`);
      expect(line(page, 'AUC')).toContain(aucs[model]!.toFixed(4).slice(1));
    }
    expect(line(page, 'AUC')).toContain('[.7672, .7752]');
    expect(page).toMatch(/aria-label="AUC on set A, test days: Two-tower .7401 \[.7361, .7441\]; /);
    expect(page.match(/<svg\s+role="img"\s+aria-label="[^"]+"/g)).toHaveLength(6);
  });

  it('marks the first pre-ranker of a line, never the teacher, and by the lowest where lower is better', () => {
    expect(line(page, 'AUC').match(/<strong>\.\d+/g)).toEqual(['<strong>.7712']);
    expect(line(page, 'Logloss').match(/<strong>\.\d+/g)).toEqual(['<strong>.5288']);
    expect(line(page, 'Recall@5')).not.toContain('<strong>'); // all equal
  });

  it('says better of a difference in the good direction', () => {
    const said = (header: string) => line(page, header).match(/class="said (\w+)"/g);
    expect(said('AUC, set A')).toEqual([
      'class="said level"',
      'class="said better"',
      'class="said better"',
      'class="said better"',
      'class="said better"',
    ]);
    expect(said('Logloss, set A')?.at(-1)).toBe('class="said better"');
    expect(line(page, 'Logloss, set A')).toContain('−.0479');
  });

  it('shows test days only, set B apart, slices in their own table, and the health of each level', () => {
    expect(page).not.toContain('.1234');
    expect(page).not.toContain('.3210'); // teacher_tau stays in the metrics table
    expect(page).toContain('Set B: the space that the pre-ranker must sort');
    expect(line(page, 'scene=1')).toContain('.6543');
    expect(line(page, '2')).toMatch(/50\.0 %[^]*75\.0 %[^]*21\.2[^]*6\.0 %[^]*\.231/);
  });

  it('writes a missing value as an en dash that says why, on the screen and on paper', () => {
    expect(line(page, 'Request AUC')).toContain(
      '<abbr title="not computed: no request has both classes">–</abbr>',
    );
    expect(page).toContain('– = not computed. Request AUC: no request has both classes.');
    expect(line(page, 'Teacher recall@5')).toContain('title="not computed: the teacher is the mark"');
  });

  it('gives no share of a gap where there is none', () => {
    const noGap = reportHtml({
      ...example,
      verdict: {
        sentence: 'No gap: the teacher is not above.',
        facts: {
          ...verdict.facts,
          gap: { value: -0.001, low: -0.002, high: 0.001, open: false },
          closed: { value: null, low: null, high: null },
        },
      },
    });
    expect(noGap).toMatch(/Gap closed<\/dt>\s*<dd>\s*<abbr title="not computed: there is no gap">–<\/abbr>/);
    expect(noGap).toContain('<p class="verdict level">No gap'); // not in the colour of success
  });

  it('escapes whatever comes from data', () => {
    const evil = `<b>&"'</b>`;
    const escaped = '&lt;b&gt;&amp;&quot;&#39;&lt;/b&gt;';
    const attacked = reportHtml({
      ...example,
      run: evil,
      data: evil,
      student: evil,
      settings: evil,
      verdict: { ...verdict, sentence: evil },
      metrics: [
        ...example.metrics,
        row('student', 'auc', 0.7, { slice: `tab=${evil}` }),
        row('student', `recall@${evil}`, 0.5),
      ],
      losses: [{ model: 'student', term: evil, step: 0, value: 1 }],
      durations: [{ stage: evil, took: evil }],
    });
    expect(attacked).not.toContain(evil);
    expect(attacked.split(escaped).length - 1).toBeGreaterThanOrEqual(10);
    expect(unclosed(attacked)).toEqual([]);
  });

  it('does without what was not measured: no intervals, no curves, no codebook, undefined AUC', () => {
    const bare = reportHtml({
      ...example,
      samples: [],
      metrics: models.map((model) => row(model, 'auc', null)),
      differences: [{ model: 'student', set: 'a', metric: 'auc', value: null, low: null, high: null }],
      calibration: [{ model: 'student', bins: [] }],
      epochs: [],
      losses: [],
      codebook: [],
      verdict: {
        ...verdict,
        facts: {
          ...verdict.facts,
          student: null,
          teacher: null,
          gap: null,
          closed: { value: null, low: null, high: null },
        },
      },
    });
    expect(unclosed(bare)).toEqual([]);
    expect(bare).not.toMatch(/NaN|undefined<|null|Infinity|<svg/);
    expect(bare).toContain('– = not computed. AUC: all rows are of one class.');
  });

  it('says what a logged teacher is, also where it was not measured', () => {
    const loggedTeacher = 'the ranker of the logs; not measured where a candidate has none: 3 of 9 exposures';
    const said = `<dd>${loggedTeacher} (<code>teacher</code>)</dd>`;
    const withoutIt = example.metrics.filter(({ model }) => model !== 'teacher');
    for (const metrics of [example.metrics, withoutIt]) {
      const page = reportHtml({ ...example, metrics, loggedTeacher });
      expect(page.split(said)).toHaveLength(2);
      expect(page).not.toContain('target-attention ranker');
      expect(unclosed(page)).toEqual([]);
    }
    expect(reportHtml(example)).toContain('target-attention ranker');
  });

  it('draws one epoch, one step and one bin without falling over', () => {
    const single = reportHtml({
      ...example,
      calibration: [{ model: 'student', bins: [{ meanPrediction: 0.2, meanLabel: 0.2, n: 1 }] }],
      epochs: [{ model: 'student', epoch: 1, validationAuc: 0.7 }],
      losses: [{ model: 'student', term: 'click_a', step: 0, value: 0 }],
    });
    expect(single).not.toMatch(/NaN|Infinity/);
    expect(single.match(/<svg/g)).toHaveLength(5);
  });
});
