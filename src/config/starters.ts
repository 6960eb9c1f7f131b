/** Settings to start from, one set for each kind of logs: what no default can know. `cascade init` writes them. */

export const starterKinds = ['simulate', 'kuairand', 'taobao', 'tables'] as const;
export type StarterKind = (typeof starterKinds)[number];

/** A feature that looks a column's values up, called as the column is. */
const id = (column: string, name = column.split('.')[1]) => ({ name, kind: 'id', column });

const kuairandUsers = [
  'user_active_degree',
  'follow_user_num_range',
  'fans_user_num_range',
  'friend_user_num_range',
  'register_days_range',
  ...Array.from({ length: 18 }, (_, i) => `onehot_feat${i}`),
];
const kuairandItems = ['author_id', 'tag', 'video_type', 'upload_type', 'music_type', 'duration_log2'];

export const starters: Readonly<Record<StarterKind, unknown>> = {
  simulate: {
    logs: { kind: 'simulate' },
    features: {
      user: [id('requests.user_id'), id('users.segment')],
      item: [id('items.item_id'), id('items.category'), id('items.author_id')],
      context: [id('requests.ctx_hour', 'hour')],
      sequence: ['item_id', 'category', 'author_id'],
    },
  },
  kuairand: {
    logs: { kind: 'kuairand' },
    samples: {
      split: { kind: 'dates', validation_from: '2022-05-06', test_from: '2022-05-07' },
      sequence: { events: ['long_view'] },
    },
    features: {
      init_scale: 0.01,
      user: [id('requests.user_id'), ...kuairandUsers.map((column) => id(`users.${column}`))],
      item: [id('items.item_id'), ...kuairandItems.map((column) => id(`items.${column}`))],
      context: [id('requests.scene', 'tab'), id('requests.ctx_hour', 'hour')],
      sequence: ['item_id', 'author_id', 'tag'],
    },
  },
  taobao: {
    logs: { kind: 'taobao' },
    samples: {
      split: { kind: 'dates', validation_from: '2017-12-02', test_from: '2017-12-03' },
      sequence: { events: ['page_view', 'cart', 'favourite', 'buy'] },
    },
    features: {
      init_scale: 0.1,
      user: [id('requests.user_id')],
      // Each first event of an item is about five training rows, itself and four draws: 8 asks for two users (configs/taobao.yaml).
      item: [id('items.item_id'), id('items.category_id')].map((feature) => ({ ...feature, min_count: 8 })),
      context: [id('requests.ctx_hour', 'hour')],
      sequence: ['item_id', 'category_id'],
    },
  },
  tables: {
    logs: { kind: 'tables' },
    features: {
      user: [id('requests.user_id')],
      item: [id('items.item_id')],
      sequence: ['item_id'],
    },
  },
};
