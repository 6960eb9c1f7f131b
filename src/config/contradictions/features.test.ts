import { expect, test } from 'vitest';
import { complaint, features, item, user } from '../../../test/support/pipeline.js';

test('each feature has a name of its own, across all sides', () => {
  const text = features(`${user}\n  item:
    - {name: user_id, kind: id, column: items.author_id}
    - {name: item_id, kind: id, column: items.item_id}
  sequence: [item_id]`);
  expect(complaint(text)).toMatchInlineSnapshot(`
    "error  config.contradiction  pipeline.yaml:5:8  features.item[0].name
           Two features are called \`user_id\`: \`features.user[0]\` and \`features.item[0]\`.
           Set at: features.item[0].name (pipeline.yaml:5:8), features.user[0].name (pipeline.yaml:3:11).
           Give each feature a name of its own."
  `);
});

test('each side reads its own tables', () => {
  const text = features(`  user:
    - {name: a, kind: id, column: requests.user_id}
    - {name: b, kind: id, column: users.age}
    - {name: c, kind: id, column: items.price}
    - {name: d, kind: id, column: requests.scene}
${item}
  context:
    - {name: e, kind: id, column: requests.ctx_hour}
    - {name: f, kind: id, column: users.age}
  sequence: [item_id]`);
  expect(complaint(text)).toMatchInlineSnapshot(`
    "error  config.contradiction  pipeline.yaml:6:27  features.user[2].column
           \`items.price\` cannot feed a feature of \`features.user\`, which reads \`users.*\`, or \`requests.user_*\` as frozen at the request.
           Move the feature to \`features.item\`, or read another column.
    error  config.contradiction  pipeline.yaml:7:27  features.user[3].column
           \`requests.scene\` cannot feed a feature of \`features.user\`, which reads \`users.*\`, or \`requests.user_*\` as frozen at the request.
           Move the feature to \`features.context\`, or read another column.
    error  config.contradiction  pipeline.yaml:11:27  features.context[1].column
           \`users.age\` cannot feed a feature of \`features.context\`, which reads \`requests.*\`.
           Move the feature to \`features.user\`, or read another column."
  `);
});

test('a cross stays in one table', () => {
  const text = features(
    `  user: [{name: a, kind: cross, columns: [users.age, requests.user_id]}]\n${item}\n  sequence: [item_id]`,
  );
  expect(complaint(text)).toMatchInlineSnapshot(`
    "error  config.contradiction  pipeline.yaml:3:33  features.user[0].columns
           The cross \`features.user[0]\` combines columns of different tables: users.age, requests.user_id.
           Use columns of one table only (users or requests)."
  `);
});

test('boundaries ascend strictly', () => {
  const boundaries = (list: string) =>
    complaint(
      features(
        `  user: [{name: a, kind: bucketised, column: users.age, boundaries: ${list}}]\n${item}\n  sequence: [item_id]`,
      ),
    );
  expect(boundaries('[10, 30, 20, 20]')).toMatchInlineSnapshot(`
    "error  config.contradiction  pipeline.yaml:3:57  features.user[0].boundaries
           The boundaries of \`features.user[0]\` do not ascend: 20 comes after 30.
           Write them in order, each once: [10, 20, 30]."
  `);
  expect(boundaries('[10, 10]')).toContain('config.contradiction');
  expect(boundaries('[10, 20]')).toBe('no problem');
});

test('the sequence names item features that have embeddings, each once', () => {
  const text = features(`${user}
  item:
    - {name: item_id, kind: id, column: items.item_id}
    - {name: price, kind: numeric, column: items.price}
  sequence: [item_id, itme_id, user_id, price, item_id]`);
  expect(complaint(text)).toMatchInlineSnapshot(`
    "error  config.contradiction  pipeline.yaml:7:23  features.sequence[1]
           \`features.sequence\` names \`itme_id\`, which is no item feature.
           Set at: features.sequence[1] (pipeline.yaml:7:23), features.item (pipeline.yaml:4:3).
           Did you mean \`item_id\`?
    error  config.contradiction  pipeline.yaml:7:32  features.sequence[2]
           \`features.sequence\` names \`user_id\`, which is no item feature.
           Set at: features.sequence[2] (pipeline.yaml:7:32), features.item (pipeline.yaml:4:3).
           Name item features; those with embeddings are: item_id.
    error  config.contradiction  pipeline.yaml:7:41  features.sequence[3]
           \`features.sequence\` names \`price\`, which is numeric and has no embedding to describe a behaviour with.
           Set at: features.sequence[3] (pipeline.yaml:7:41), features.item[1].kind (pipeline.yaml:6:21).
           Name others (item_id), or make it \`kind: bucketised\`.
    error  config.contradiction  pipeline.yaml:7:48  features.sequence[4]
           \`features.sequence\` names item_id twice.
           Set at: features.sequence[4] (pipeline.yaml:7:48), features.sequence[0] (pipeline.yaml:7:14).
           Name it once."
  `);
});
