/** Look-ups by index and their gradients. Indices must be in range: ONNX Runtime checks them on the CPU, tfjs does not everywhere. */
import { tf } from '../../tf.js';
import { internal } from '../../../errors.js';
import { elementTypes } from '../../onnx.js';
import { graph, kernel, record, valueOf } from '../backend.js';

kernel<{ axis: number; batchDims: number }>('GatherV2', (inputs, { axis, batchDims }) => {
  if (batchDims)
    return internal('gather with batch dimensions is not traced: add the row offset to the indices');
  const x = inputs.x!;
  const indices = inputs.indices!;
  const at = tf.util.parseAxisParam(axis, x.shape)[0]!;
  const shape = [...x.shape.slice(0, at), ...indices.shape, ...x.shape.slice(at + 1)];
  return record('Gather', [valueOf(x), valueOf(indices)], shape, x.dtype, { axis: at });
});

/** Sums rows by segment: the gradient of a gather. Rows of one segment are added in row order, so the bytes are reproducible. */
kernel<{ numSegments: number }>('UnsortedSegmentSum', (inputs, { numSegments }) => {
  const x = inputs.x!;
  const segmentIds = inputs.segmentIds!;
  if (segmentIds.shape.length !== 1) return internal('segment ids must be one-dimensional');
  const g = graph();
  const shape = [numSegments, ...x.shape.slice(1)];
  const zeros = g.filled(shape, 0, 'float32');
  const ids = g.emit('Cast', [valueOf(segmentIds)], { to: elementTypes.int64 });
  const positions = g.emit('Reshape', [ids, g.integers([segmentIds.shape[0]!, 1])]);
  return record('ScatterND', [zeros, positions, valueOf(x)], shape, x.dtype, { reduction: 'add' });
});

/**
 * Rows put in the place of others: what a step makes of embedding rows that lie in a device's memory. Rows must be distinct, or equal.
 * As ScatterElements: ScatterND on WebGPU looks for duplicates first, every thread over all pairs of rows.
 */
kernel('TensorScatterUpdate', (inputs) => {
  const { tensor, indices, updates } = inputs as Record<string, tf.TensorInfo>;
  const [rows] = indices!.shape;
  if (tensor!.shape.length !== 2 || indices!.shape.length !== 2 || indices!.shape[1] !== 1)
    return internal('only whole rows of a matrix can be put in the place of others');
  const g = graph();
  const places = g.emit('Expand', [valueOf(indices!), g.integers([rows!, tensor!.shape[1]!])]);
  const operands = [valueOf(tensor!), places, valueOf(updates!)];
  return record('ScatterElements', operands, tensor!.shape, tensor!.dtype, { axis: 0 });
});

kernel<{ depth: number; onValue: number; offValue: number }>(
  'OneHot',
  (inputs, { depth, onValue, offValue }) => {
    const indices = inputs.indices!;
    const g = graph();
    const ids = g.emit('Cast', [valueOf(indices)], { to: elementTypes.int64 });
    const values = g.constant([offValue, onValue], [2], 'float32');
    return record(
      'OneHot',
      [ids, g.constant([depth], [], 'int64'), values],
      [...indices.shape, depth],
      'float32',
      { axis: -1 },
    );
  },
);
