/** Reductions, softmax and arg-extrema. */
import { tf } from '../../tf.js';
import { elementTypes } from '../../onnx.js';
import { graph, kernel, record, tensorInfo, valueOf } from '../backend.js';

interface Reduction {
  axis?: number | number[];
  /** What tfjs calls the axis of Max. */
  reductionIndices?: number | number[];
  keepDims: boolean;
}

function reduction(kernelName: string, op: string): void {
  kernel<Reduction>(kernelName, (inputs, { axis, reductionIndices, keepDims }) => {
    const x = inputs.x!;
    const given = axis ?? reductionIndices ?? x.shape.map((_, i) => i);
    const axes = tf.util.parseAxisParam(given, x.shape);
    const shape = keepDims
      ? x.shape.map((size, i) => (axes.includes(i) ? 1 : size))
      : x.shape.filter((_, i) => !axes.includes(i));
    if (axes.length === 0) return tensorInfo(valueOf(x), x.shape, x.dtype);
    return record(op, [valueOf(x), graph().integers(axes)], shape, x.dtype, { keepdims: keepDims ? 1 : 0 });
  });
}

reduction('Sum', 'ReduceSum');
reduction('Mean', 'ReduceMean');
reduction('Max', 'ReduceMax');
reduction('Min', 'ReduceMin');

kernel<{ dim: number }>('Softmax', ({ logits }, { dim }) =>
  record('Softmax', [valueOf(logits!)], logits!.shape, 'float32', { axis: dim }),
);

kernel<{ axis: number }>('LogSoftmax', ({ logits }, { axis }) =>
  record('LogSoftmax', [valueOf(logits!)], logits!.shape, 'float32', { axis }),
);

/** Ties go to the lowest index, as in tfjs and NumPy. */
function argExtremum(kernelName: 'ArgMin' | 'ArgMax'): void {
  kernel<{ axis: number }>(kernelName, (inputs, { axis }) => {
    const x = inputs.x!;
    const [at] = tf.util.parseAxisParam(axis, x.shape);
    const index = graph().emit(kernelName, [valueOf(x)], { axis: at!, keepdims: 0 });
    const shape = x.shape.filter((_, i) => i !== at);
    return record('Cast', [index], shape, 'int32', { to: elementTypes.int32 });
  });
}

argExtremum('ArgMin');
argExtremum('ArgMax');

kernel<{ axis: number; exclusive: boolean; reverse: boolean }>(
  'Cumsum',
  (inputs, { axis, exclusive, reverse }) => {
    const x = inputs.x!;
    return record('CumSum', [valueOf(x), graph().scalar(axis, 'int32')], x.shape, x.dtype, {
      exclusive: exclusive ? 1 : 0,
      reverse: reverse ? 1 : 0,
    });
  },
);
