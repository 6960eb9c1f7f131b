/** Curves: calibration, validation AUC by epoch, loss terms by step. */
import type { ModelName } from '../metrics/metricRow.js';
import { countAxis, valueAxis } from './axis.js';
import { drawn } from './chart.js';
import type { Html } from './html.js';
import type { EpochPoint, LossPoint, ReportInput } from './input.js';
import { modelWords } from './words.js';

type Points = readonly (readonly [x: number, y: number])[];

interface Curve {
  readonly model: ModelName;
  readonly points: Points;
}

/** Mean prediction against mean label, bin by bin; a calibrated model lies on the diagonal. */
export function calibrationChart(id: string, calibration: ReportInput['calibration']): Html {
  const curves = calibration.map(({ model, bins }) => ({
    model,
    points: bins.map(({ meanPrediction, meanLabel }) => [meanPrediction, meanLabel] as const),
  }));
  const axis = valueAxis([0, ...curves.flatMap(({ points }) => points.flat())]);
  const diagonal = {
    type: 'line',
    silent: true,
    symbol: 'none',
    lineStyle: { color: '#8a8a8a', width: 1, type: 'dashed' },
    data: [
      [0, 0],
      [axis.max, axis.max],
    ],
  };
  return drawn({
    id,
    description: `Share of positives against mean prediction in 20 bins: ${labels(curves)}; dashed, the diagonal of perfect calibration`,
    width: 440,
    height: 380,
    option: {
      grid: { left: 56, right: 16, top: 12, bottom: 44 },
      xAxis: { ...axis, name: 'mean prediction', nameGap: 26 },
      yAxis: { ...axis, name: 'share of positives', nameGap: 38 },
      series: [diagonal, ...curves.map((curve) => lineOf(curve, 5))],
    },
  });
}

/** Validation AUC by epoch, one line a model. */
export function epochChart(id: string, epochs: readonly EpochPoint[]): Html {
  const curves = byModel(epochs, ({ epoch, validationAuc }) => [epoch, validationAuc]);
  const last = Math.ceil(Math.max(...epochs.map(({ epoch }) => epoch)));
  const axis = countAxis(0, last, 'epoch');
  return drawn({
    id,
    description: `Validation AUC by epoch: ${labels(curves)}`,
    width: 760,
    height: 300,
    option: {
      grid: { left: 56, right: 20, top: 12, bottom: 44 },
      xAxis: { ...axis, axisLabel: { ...axis.axisLabel, showMaxLabel: true } },
      yAxis: valueAxis(epochs.map(({ validationAuc }) => validationAuc)),
      series: curves.map((curve) => lineOf(curve, 7)),
    },
  });
}

/** One loss term by step, one line a model. */
export function lossChart(id: string, term: string, losses: readonly LossPoint[]): Html {
  const curves = byModel(losses, ({ step, value }) => [step, value]).map(({ model, points }) => ({
    model,
    points: thinned(points),
  }));
  return drawn({
    id,
    description: `Loss term ${term} by step: ${labels(curves)}`,
    width: 300,
    height: 190,
    option: {
      grid: { left: 48, right: 14, top: 10, bottom: 44 },
      xAxis: countAxis(0, Math.max(...losses.map(({ step }) => step)), 'step'),
      yAxis: valueAxis(curves.flatMap(({ points }) => points.map(([, value]) => value))),
      series: curves.map((curve) => lineOf(curve, 0)),
    },
  });
}

/** A model's line in its colour, with a dot at each point where `dot` has a size. */
const lineOf = ({ model, points }: Curve, dot: number) => ({
  type: 'line',
  silent: true,
  symbol: dot > 0 ? 'circle' : 'none',
  symbolSize: dot,
  showAllSymbol: true,
  color: modelWords[model].colour,
  lineStyle: { width: model === 'student' ? 2.5 : 1.5 },
  data: points,
});

const labels = (curves: readonly Curve[]) => curves.map(({ model }) => modelWords[model].label).join(', ');

function byModel<T extends { model: ModelName }>(
  rows: readonly T[],
  point: (row: T) => readonly [number, number],
): Curve[] {
  return [...new Set(rows.map(({ model }) => model))].map((model) => ({
    model,
    points: rows.filter((row) => row.model === model).map(point),
  }));
}

/** At most 150 points: means of blocks of neighbours, which also quieten the noise of single steps. */
export function thinned(points: Points, most = 150): Points {
  const block = Math.ceil(points.length / most);
  return Array.from({ length: Math.ceil(points.length / block) }, (_, i) => {
    const part = points.slice(i * block, (i + 1) * block);
    const mean = (axis: 0 | 1) => part.reduce((sum, point) => sum + point[axis], 0) / part.length;
    return [mean(0), mean(1)] as const;
  });
}
