/** Kernels that move values without changing them. What changes nothing is not recorded. */
import { tf } from '../../tf.js';
import { graph, kernel, operands, record, tensorInfo, valueOf } from '../backend.js';

const sameShape = (a: readonly number[], b: readonly number[]) =>
  a.length === b.length && a.every((size, i) => size === b[i]);

/** A value under another shape; a reshape of a reshape goes back to the first value. */
function reshaped(tensor: tf.TensorInfo, shape: readonly number[]): tf.TensorInfo {
  if (sameShape(tensor.shape, shape)) return tensorInfo(valueOf(tensor), shape, tensor.dtype);
  return record('Reshape', [valueOf(tensor), graph().integers(shape)], shape, tensor.dtype);
}

kernel<{ shape: number[] }>('Reshape', (inputs, { shape }) =>
  reshaped(inputs.x!, tf.util.inferFromImplicitShape(shape, tf.util.sizeFromShape(inputs.x!.shape))),
);

kernel<{ dim: number }>('ExpandDims', (inputs, { dim }) => {
  const input = inputs.input!;
  const shape = [...input.shape];
  shape.splice(dim < 0 ? shape.length + 1 + dim : dim, 0, 1);
  return reshaped(input, shape);
});

kernel<{ perm: number[] }>('Transpose', (inputs, { perm }) => {
  const x = inputs.x!;
  if (perm.every((axis, i) => axis === i)) return tensorInfo(valueOf(x), x.shape, x.dtype);
  return record(
    'Transpose',
    [valueOf(x)],
    perm.map((axis) => x.shape[axis]!),
    x.dtype,
    { perm },
  );
});

kernel<{ axis: number }>('Concat', (inputs, { axis }) => {
  const parts = operands(inputs);
  const at = tf.util.parseAxisParam(axis, parts[0]!.shape)[0]!;
  const shape = tf.backend_util.computeOutShape(
    parts.map((part) => part.shape),
    at,
  );
  const filledParts = parts.filter((part) => part.shape[at] !== 0);
  if (filledParts.length === 1) return tensorInfo(valueOf(filledParts[0]!), shape, parts[0]!.dtype);
  return record('Concat', filledParts.map(valueOf), shape, parts[0]!.dtype, { axis: at });
});

kernel<{ begin: number[]; size: number[] }>('Slice', (inputs, { begin, size }) => {
  const x = inputs.x!;
  const [starts, sizes] = tf.slice_util.parseSliceParams(x, begin, size) as [number[], number[]];
  if (sameShape(sizes, x.shape)) return tensorInfo(valueOf(x), x.shape, x.dtype);
  const g = graph();
  const axes = sizes.flatMap((length, i) => (length === x.shape[i] ? [] : [i]));
  return record(
    'Slice',
    [
      valueOf(x),
      g.integers(axes.map((i) => starts[i]!)),
      g.integers(axes.map((i) => starts[i]! + sizes[i]!)),
      g.integers(axes),
    ],
    sizes,
    x.dtype,
  );
});

kernel<{ numOrSizeSplits: number | number[]; axis: number }>(
  'SplitV',
  (inputs, { numOrSizeSplits, axis }) => {
    const x = inputs.x!;
    const at = tf.util.parseAxisParam(axis, x.shape)[0]!;
    const sizes = tf.backend_util.prepareSplitSize(x, numOrSizeSplits, at);
    const values = graph().emitMany('Split', [valueOf(x), graph().integers(sizes)], sizes.length, {
      axis: at,
    });
    return sizes.map((size, i) => tensorInfo(values[i]!, x.shape.with(at, size), x.dtype));
  },
);

kernel<{ axis: number }>('Pack', (inputs, { axis }) => {
  const parts = operands(inputs);
  const at = axis < 0 ? axis + parts[0]!.shape.length + 1 : axis;
  const one = [...parts[0]!.shape];
  one.splice(at, 0, 1);
  return record(
    'Concat',
    parts.map((part) => valueOf(reshaped(part, one))),
    one.with(at, parts.length),
    parts[0]!.dtype,
    {
      axis: at,
    },
  );
});

kernel<{ axis: number }>('Unpack', (inputs, { axis }) => {
  const value = inputs.value!;
  const at = axis < 0 ? axis + value.shape.length : axis;
  const parts = value.shape[at]!;
  const names = graph().emitMany(
    'Split',
    [valueOf(value), graph().integers(Array<number>(parts).fill(1))],
    parts,
    {
      axis: at,
    },
  );
  const shape = value.shape.toSpliced(at, 1);
  return names.map((name) => reshaped(tensorInfo(name, value.shape.with(at, 1), value.dtype), shape));
});

kernel<{ reps: number[] }>('Tile', (inputs, { reps }) => {
  const x = inputs.x!;
  if (reps.every((times) => times === 1)) return tensorInfo(valueOf(x), x.shape, x.dtype);
  return record(
    'Tile',
    [valueOf(x), graph().integers(reps)],
    x.shape.map((size, i) => size * reps[i]!),
    x.dtype,
  );
});

kernel<{ shape: number[] }>('BroadcastTo', (inputs, { shape }) => {
  const x = inputs.x!;
  if (sameShape(x.shape, shape)) return tensorInfo(valueOf(x), shape, x.dtype);
  return record('Expand', [valueOf(x), graph().integers(shape)], shape, x.dtype);
});

kernel<{ paddings: [number, number][]; constantValue: number }>(
  'PadV2',
  (inputs, { paddings, constantValue }) => {
    const x = inputs.x!;
    // The gradient of a slice that took everything.
    if (paddings.every(([before, after]) => before === 0 && after === 0))
      return tensorInfo(valueOf(x), x.shape, x.dtype);
    const g = graph();
    const pads = g.integers([...paddings.map(([before]) => before), ...paddings.map(([, after]) => after)]);
    const shape = x.shape.map((size, i) => size + paddings[i]![0] + paddings[i]![1]);
    return record('Pad', [valueOf(x), pads, g.scalar(constantValue, x.dtype as 'float32')], shape, x.dtype);
  },
);
