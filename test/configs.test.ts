/** Every config in configs/ runs to its verdict: on a miniature of its data, through the real command line. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { starterKinds } from '../src/config/starters.js';
import { newFolder, program, root, sets } from './support/program.js';
import { writeSmallKuairand } from './support/smallKuairand.js';
import { writeSmallTaobao } from './support/smallTaobao.js';

const brief = {
  'teacher.epochs': 1,
  'teacher.b_epochs': 0.5,
  'distill.epochs': 1,
  'codebook.codes': 16,
  'codebook.steps': 20,
  'eval.bootstrap': 30,
  'training.rows_per_step': 256,
  'training.b_rows_per_step': 192,
};
const smallWorld = {
  ...brief,
  'logs.users': 150,
  'logs.items': 300,
  'logs.groups': 20,
  'logs.categories': 5,
  'logs.days': 7,
};

/** How each config is made small. A config without an entry fails the first test. */
const miniatures: Record<string, () => string[]> = {
  'quickstart.yaml': () => sets(smallWorld),
  'simulation.yaml': () => sets(smallWorld),
  'kuairand.yaml': () => {
    const folder = join(newFolder('kuairand'), 'data');
    writeSmallKuairand(folder);
    return sets({ ...brief, 'logs.source': folder });
  },
  'taobao.yaml': () => {
    const folder = join(newFolder('taobao'), 'data');
    writeSmallTaobao(folder);
    return sets({ ...brief, 'logs.source': folder });
  },
};

const configs = readdirSync(join(root, 'configs'), { recursive: true, encoding: 'utf8' }).filter((file) =>
  file.endsWith('.yaml'),
);

describe('configs/', () => {
  it('has the configs that the contracts name, each with a miniature, each opening with the command that runs it', () => {
    expect(configs.toSorted()).toEqual(Object.keys(miniatures).toSorted());
    for (const config of configs) {
      const [first] = readFileSync(join(root, 'configs', config), 'utf8').split('\n');
      expect(first).toMatch(new RegExp(`^# cascade train --config configs/${config}`));
    }
  });

  it.each(configs)('%s runs to a verdict', async (config) => {
    const run = join(newFolder(), 'run');
    const args = ['--config', join(root, 'configs', config), ...miniatures[config]!(), '--run', run];
    const { code, out, err } = await program(['train', ...args]);
    expect(code, err).toBe(0);
    expect(out.trimEnd().split('\n').at(-1)).toMatch(/^(Student|No gap|WORSE|No verdict)/);
    const { out: json } = await program(['eval', ...args, '--json']);
    const { metrics } = JSON.parse(json) as {
      metrics: { model: string; set: string; metric: string; split: string; value: number | null }[];
    };
    for (const model of ['two_tower', 'student', 'teacher', 'match_count']) {
      const auc = metrics.find(
        (row) => row.model === model && row.set === 'a' && row.split === 'test' && row.metric === 'auc',
      );
      expect(auc?.value, model).toBeGreaterThan(0.4);
    }
  });
});

describe.each(starterKinds)('cascade init --kind %s', (kind) => {
  it('writes a config that validates, and does not overwrite it', async () => {
    const file = join(newFolder('init'), 'pipeline.yaml');
    expect((await program(['init', file, '--kind', kind])).code).toBe(0);
    const { code, err } = await program(['validate', '--config', file]);
    expect(code, err).toBe(0);
    expect((await program(['init', file, '--kind', kind])).code).toBe(2);
  });
});

const kuairand = join(root, '../shared/data/kuairand-pure');

describe('KuaiRand-Pure itself', () => {
  it.skipIf(!existsSync(kuairand))(
    'gives the rows and the embedding rows of the reference protocol',
    async () => {
      const args = [
        '--config',
        join(root, 'configs/kuairand.yaml'),
        ...sets({ 'logs.source': kuairand }),
        '--run',
        join(newFolder(), 'run'),
      ];
      const logs = await program(['logs', ...args]);
      expect(logs.out).toMatch(/222,444/);
      const { out } = await program(['samples', ...args]);
      for (const figure of ['180,129', '13,566', '28,749', '33,697 embedding rows'])
        expect(out).toContain(figure);
    },
  );
});

const taobao = join(root, '../shared/data/taobao-userbehavior');

describe('Taobao UserBehavior itself', () => {
  it.skipIf(!existsSync(taobao))('gives the rows of the reference protocol', async () => {
    const args = [
      '--config',
      join(root, 'configs/taobao.yaml'),
      ...sets({ 'logs.source': taobao }),
      '--run',
      join(newFolder(), 'run'),
    ];
    await program(['logs', ...args]);
    const { out } = await program(['samples', ...args]);
    for (const figure of ['121,100', '23,830', '21,375']) expect(out).toContain(figure);
  });
});
