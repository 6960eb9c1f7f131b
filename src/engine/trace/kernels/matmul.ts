/**
 * Matrix products. ONNX's MatMul has no transposition of its own, so a transposed side is recorded as a Transpose in front of it,
 * which ONNX Runtime fuses back. Products of two plain matrices become Gemm, which takes the transposition as an attribute.
 */
import { tf } from '../../tf.js';
import { graph, kernel, record, tensorInfo, valueOf } from '../backend.js';

kernel<{ transposeA: boolean; transposeB: boolean }>('BatchMatMul', (inputs, { transposeA, transposeB }) => {
  const a = inputs.a!;
  const b = inputs.b!;
  const rows = a.shape.at(transposeA ? -1 : -2)!;
  const columns = b.shape.at(transposeB ? -2 : -1)!;
  const batchA = a.shape.slice(0, -2);
  const batchB = b.shape.slice(0, -2);
  const batch = tf.broadcast_util.assertAndGetBroadcastShape(batchA, batchB);
  if (batch.every((size) => size === 1)) {
    const g = graph();
    const plain = (x: tf.TensorInfo) =>
      x.shape.length === 2 ? valueOf(x) : g.emit('Reshape', [valueOf(x), g.integers(x.shape.slice(-2))]);
    const product = g.emit('Gemm', [plain(a), plain(b)], {
      transA: transposeA ? 1 : 0,
      transB: transposeB ? 1 : 0,
    });
    const shape = [...batch, rows, columns];
    if (shape.length === 2) return tensorInfo(product, shape, 'float32');
    return record('Reshape', [product, g.integers(shape)], shape, 'float32');
  }
  return record('MatMul', [side(a, transposeA), side(b, transposeB)], [...batch, rows, columns], 'float32');
});

function side(x: tf.TensorInfo, transposed: boolean): string {
  if (!transposed) return valueOf(x);
  const rank = x.shape.length;
  const perm = Array.from({ length: rank }, (_, i) => i);
  [perm[rank - 2], perm[rank - 1]] = [rank - 1, rank - 2];
  return graph().emit('Transpose', [valueOf(x)], { perm });
}
