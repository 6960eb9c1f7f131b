/** What model code needs of automatic differentiation beyond tfjs's own operations. */
import { tf } from './tf.js';
import './tileGradient.js';

/**
 * The same value as a constant: no gradient flows back through it. A new handle on the same data, so nothing is computed or
 * recorded; tfjs's tape does not know the handle.
 */
export function stopGradient<T extends tf.Tensor>(x: T): T {
  tf.backend().incRef(x.dataId); // both handles may be disposed
  return tf.engine().makeTensorFromTensorInfo(x) as T;
}

/**
 * Value of a scalar function and its gradient with respect to each of `xs`. An x that the value does not depend on gets exact
 * zeros, where tfjs's own `valueAndGrads` would throw.
 */
export function valueAndGradients(
  f: () => tf.Scalar,
  xs: readonly tf.Tensor[],
): { value: tf.Scalar; gradients: tf.Tensor[] } {
  const { value, grads } = tf.engine().gradients(f, [...xs], undefined, true);
  return {
    value: value,
    gradients: xs.map((x, i) => (grads[i] as tf.Tensor | null | undefined) ?? tf.zerosLike(x)),
  };
}

/**
 * Gradients of a function at `xs` from the gradient of its value, inside the gradient of another: that of a value which is computed
 * again rather than kept. tfjs has one tape, which an inner gradient would end; the outer one is put aside.
 */
export function innerGradients(f: () => tf.Tensor, xs: readonly tf.Tensor[], dy: tf.Tensor): tf.Tensor[] {
  const { state } = tf.engine();
  const outer = state.activeTape;
  const { grads } = tf.engine().gradients(f, [...xs], dy, true);
  state.activeTape = outer;
  return xs.map((x, i) => (grads[i] as tf.Tensor | null | undefined) ?? tf.zerosLike(x));
}

/**
 * The forward value of `hard` with the gradient of `soft` (straight-through estimator):
 *   soft + sg(hard - soft)
 */
export function straightThrough<T extends tf.Tensor>(hard: tf.Tensor, soft: T): T {
  return tf.add(soft, stopGradient(tf.sub(hard, soft)));
}
