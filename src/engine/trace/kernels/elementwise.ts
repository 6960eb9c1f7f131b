/** Elementwise kernels: ONNX broadcasts as tfjs does, so operands are never expanded. */
import { tf } from '../../tf.js';
import { graph, kernel, operands, record, tensorInfo, traceType, valueOf, type DType } from '../backend.js';
import { elementTypes } from '../../onnx.js';

const broadcast = (a: tf.TensorInfo, b: tf.TensorInfo) =>
  tf.broadcast_util.assertAndGetBroadcastShape(a.shape, b.shape);

function binary(kernelName: string, op: string, dtype?: DType): void {
  kernel(kernelName, (inputs) => {
    const { a, b } = inputs as { a: tf.TensorInfo; b: tf.TensorInfo };
    return record(op, [valueOf(a), valueOf(b)], broadcast(a, b), dtype ?? a.dtype);
  });
}

binary('Add', 'Add');
binary('Sub', 'Sub');
binary('Multiply', 'Mul');
binary('RealDiv', 'Div');
binary('Maximum', 'Max');
binary('Minimum', 'Min');
binary('Pow', 'Pow');
binary('Greater', 'Greater', 'bool');
binary('GreaterEqual', 'GreaterOrEqual', 'bool');
binary('Less', 'Less', 'bool');
binary('LessEqual', 'LessOrEqual', 'bool');
binary('Equal', 'Equal', 'bool');
binary('LogicalAnd', 'And', 'bool');
binary('LogicalOr', 'Or', 'bool');

kernel('SquaredDifference', (inputs) => {
  const { a, b } = inputs as { a: tf.TensorInfo; b: tf.TensorInfo };
  const difference = graph().emit('Sub', [valueOf(a), valueOf(b)]);
  return record('Mul', [difference, difference], broadcast(a, b), a.dtype);
});

kernel('NotEqual', (inputs) => {
  const { a, b } = inputs as { a: tf.TensorInfo; b: tf.TensorInfo };
  return record('Not', [graph().emit('Equal', [valueOf(a), valueOf(b)])], broadcast(a, b), 'bool');
});

const x = (inputs: tf.NamedTensorInfoMap) => inputs.x!;

function unary(kernelName: string, op: string): void {
  kernel(kernelName, (inputs) => record(op, [valueOf(x(inputs))], x(inputs).shape, x(inputs).dtype));
}

unary('Neg', 'Neg');
unary('Exp', 'Exp');
unary('Log', 'Log');
unary('Sqrt', 'Sqrt');
unary('Reciprocal', 'Reciprocal');
unary('Sigmoid', 'Sigmoid');
unary('Tanh', 'Tanh');
unary('Relu', 'Relu');
unary('Abs', 'Abs');
unary('Sign', 'Sign');
unary('Floor', 'Floor');
unary('LogicalNot', 'Not');

kernel('Identity', (inputs) => tensorAs(x(inputs)));

/** The same value under a new handle: nothing is recorded. */
function tensorAs(tensor: tf.TensorInfo): tf.TensorInfo {
  return tensorInfo(valueOf(tensor), tensor.shape, tensor.dtype);
}

kernel('Square', (inputs) => {
  const value = valueOf(x(inputs));
  return record('Mul', [value, value], x(inputs).shape, x(inputs).dtype);
});

kernel('Rsqrt', (inputs) =>
  record('Reciprocal', [graph().emit('Sqrt', [valueOf(x(inputs))])], x(inputs).shape, 'float32'),
);

kernel('Log1p', (inputs) => {
  const plusOne = graph().emit('Add', [valueOf(x(inputs)), graph().scalar(1)]);
  return record('Log', [plusOne], x(inputs).shape, 'float32');
});

/**
 * log(1 + exp(x)) = max(x, 0) + log(1 + exp(-|x|)); ONNX Runtime's own Softplus on the CPU is this form too, but not every
 * provider's is, and the overflow-safe form must not depend on the provider.
 */
kernel('Softplus', (inputs) => {
  const g = graph();
  const value = valueOf(x(inputs));
  const decay = g.emit('Exp', [g.emit('Neg', [g.emit('Abs', [value])])]);
  const tail = g.emit('Log', [g.emit('Add', [decay, g.scalar(1)])]);
  return record('Add', [g.emit('Relu', [value]), tail], x(inputs).shape, 'float32');
});

/** 1 where x > 0, `alpha` elsewhere: the derivative of ReLU and its kin. */
kernel<{ alpha: number }>('Step', (inputs, { alpha }) => {
  const g = graph();
  const positive = g.emit('Greater', [valueOf(x(inputs)), g.scalar(0)]);
  if (alpha === 0)
    return record('Cast', [positive], x(inputs).shape, 'float32', { to: elementTypes.float32 });
  return record('Where', [positive, g.scalar(1), g.scalar(alpha)], x(inputs).shape, 'float32');
});

kernel<{ dtype: tf.DataType }>('Cast', (inputs, { dtype }) => {
  if (x(inputs).dtype === dtype) return tensorAs(x(inputs));
  return record('Cast', [valueOf(x(inputs))], x(inputs).shape, dtype, { to: elementTypes[traceType(dtype)] });
});

kernel<{ clipValueMin: number; clipValueMax: number }>(
  'ClipByValue',
  (inputs, { clipValueMin, clipValueMax }) =>
    record(
      'Clip',
      [valueOf(x(inputs)), graph().scalar(clipValueMin), graph().scalar(clipValueMax)],
      x(inputs).shape,
      'float32',
    ),
);

kernel('Select', (inputs) => {
  const { condition, t, e } = inputs as { condition: tf.TensorInfo; t: tf.TensorInfo; e: tf.TensorInfo };
  return record('Where', [valueOf(condition), valueOf(t), valueOf(e)], t.shape, t.dtype);
});

kernel('AddN', (inputs) => {
  const terms = operands(inputs);
  if (terms.length === 1) return tensorAs(terms[0]!);
  return record('Sum', terms.map(valueOf), terms[0]!.shape, terms[0]!.dtype);
});

const filled = (shape: readonly number[], value: number, dtype: tf.DataType): tf.TensorInfo =>
  tensorInfo(graph().filled(shape, value, traceType(dtype)), shape, dtype);

kernel<{ shape: number[]; value: number; dtype?: tf.DataType }>('Fill', (_, { shape, value, dtype }) =>
  filled(shape, value, dtype ?? 'float32'),
);
kernel('ZerosLike', (inputs) => filled(x(inputs).shape, 0, x(inputs).dtype));
kernel('OnesLike', (inputs) => filled(x(inputs).shape, 1, x(inputs).dtype));
