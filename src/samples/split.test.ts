import { describe, expect, it } from 'vitest';
import { describeError } from '../errors.js';
import { splitDays } from './split.js';

const days = ['2024-01-01', '2024-01-03', '2024-01-04', '2024-01-05'];

function messageOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    return describeError(error);
  }
  return 'no error';
}

describe('splitting by time', () => {
  it('takes the last days that the log has, gaps or not', () => {
    expect(splitDays(days, { kind: 'days', validation: 2, test: 1 })).toEqual({
      validationFrom: '2024-01-03',
      testFrom: '2024-01-05',
    });
  });

  it('takes given dates, which need not be days of the log', () => {
    const dates = { kind: 'dates', validationFrom: '2024-01-02', testFrom: '2024-01-05' } as const;
    expect(splitDays(days, dates)).toEqual({ validationFrom: '2024-01-02', testFrom: '2024-01-05' });
  });

  it('refuses a split that would be empty, with the days of the log', () => {
    const tooMany = () => splitDays(days, { kind: 'days', validation: 2, test: 2 });
    const tooLate = () =>
      splitDays(days, { kind: 'dates', validationFrom: '2024-01-06', testFrom: '2024-01-07' });
    const none = () => splitDays([], { kind: 'days', validation: 1, test: 1 });
    const month = Array.from({ length: 30 }, (_, i) => `2024-01-${String(i + 1).padStart(2, '0')}`);
    const long = () =>
      splitDays(month, { kind: 'dates', validationFrom: '2023-01-01', testFrom: '2024-01-07' });
    expect([tooMany, tooLate, none, long].map(messageOf).join('\n')).toMatchInlineSnapshot(`
      "error  data.empty_split  samples.split  train
             No request would be in train. The log has requests on 4 days: 2024-01-01, 2024-01-03, 2024-01-04, 2024-01-05; the config asks for the last 2 for validation and 2 for test.
             Change \`samples.split\`, or give a log of more days.
      error  data.empty_split  samples.split  validation, test
             No request would be in validation or test. The log has requests on 4 days: 2024-01-01, 2024-01-03, 2024-01-04, 2024-01-05; the config asks for validation from 2024-01-06, test from 2024-01-07.
             Change \`samples.split\`, or give a log of more days.
      error  data.empty_split  samples.split  train, validation, test
             No request would be in train or validation or test. The log has requests on no day; the config asks for the last 1 for validation and 1 for test.
             Change \`samples.split\`, or give a log of more days.
      error  data.empty_split  samples.split  train
             No request would be in train. The log has requests on 30 days: 2024-01-01, 2024-01-02, 2024-01-03, 2024-01-04, …, 2024-01-27, 2024-01-28, 2024-01-29, 2024-01-30; the config asks for validation from 2023-01-01, test from 2024-01-07.
             Change \`samples.split\`, or give a log of more days."
    `);
  });
});
