/** Values with their intervals, one model a line: AUC of all models, or their paired differences to the two-tower. */
import type { Estimate } from '../metrics/bootstrap.js';
import type { ModelName } from '../metrics/metricRow.js';
import { bracket, decimals } from '../metrics/numbers.js';
import { valueAxis, wordAxis } from './axis.js';
import { drawn } from './chart.js';
import type { Html } from './html.js';
import { minus, modelWords, signed } from './words.js';

export interface IntervalLine extends Estimate {
  readonly model: ModelName;
}

/** `isDifference`: values are signed and the axis holds 0, with a line there. Models without a value are left out. */
export function intervalChart(
  id: string,
  title: string,
  lines: readonly IntervalLine[],
  isDifference = false,
): Html {
  const written = isDifference ? signed : (value: number) => minus(decimals(value));
  const shown = lines.flatMap(({ model, value, low, high }) =>
    value === null ? [] : [{ ...modelWords[model], value, low, high }],
  );
  const ends = shown.flatMap(({ value, low, high }) => [value, low ?? value, high ?? value]);
  const described = shown.map((row) => `${row.label} ${written(row.value)}${bracket(row, written)}`);
  return drawn({
    id,
    description: `${title}: ${described.join('; ')}`,
    width: 760,
    height: 40 + 28 * shown.length,
    option: {
      grid: { left: 205, right: 70, top: 6, bottom: 30 },
      xAxis: valueAxis(isDifference ? [...ends, 0] : ends),
      yAxis: [wordAxis(shown.map(({ label }) => label)), wordAxis(shown.map(({ value }) => written(value)))],
      series: [
        ...shown.map(({ colour, low, high }, i) => ({
          type: 'line',
          silent: true,
          symbol: 'rect',
          symbolSize: [2, 10],
          color: colour,
          lineStyle: { width: 2 },
          data:
            low === null || high === null
              ? []
              : [
                  [low, i],
                  [high, i],
                ],
        })),
        {
          type: 'scatter',
          silent: true,
          symbolSize: 10,
          data: shown.map(({ colour, value }, i) => ({
            value: [value, i],
            itemStyle: { color: colour, opacity: 1 },
          })),
          ...(isDifference && { markLine: lineAtZero }),
        },
      ],
    },
  });
}

const lineAtZero = {
  silent: true,
  symbol: 'none',
  label: { show: false },
  lineStyle: { color: '#1a1a1a', type: 'solid', width: 1 },
  data: [{ xAxis: 0 }],
};
