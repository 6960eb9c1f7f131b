import { tf } from '../engine/tf.js';
import { innerGradients } from '../engine/autodiff.js';
import { after } from '../engine/ordering.js';
import { stretches, type Stretch } from './chunks.js';

type Named<T extends tf.Tensor = tf.Tensor> = Readonly<Record<string, T>>;

/**
 * Σ over chunks of f(chunk, fixed), where f gives a sum over behaviours: for what is made of each pair of candidate and behaviour. Only
 * one chunk's arrays are there at a time; backward computes each chunk again and differentiates it.
 * along: [request, behaviour, …], cut into chunks of `size` behaviours; fixed: whatever else f depends on, the queries among it.
 * Source: recomputation as in Chen et al. 2016 (Training Deep Nets with Sublinear Memory Cost).
 */
export function sumOverChunks(
  f: (chunk: Named<tf.Tensor3D>, fixed: Named) => tf.Tensor,
  along: Named<tf.Tensor3D>,
  fixed: Named,
  size: number,
): tf.Tensor {
  const [alongNames, fixedNames] = [Object.keys(along), Object.keys(fixed)];
  const chunks = stretches(Object.values(along)[0]!.shape[1], size);
  const withGradient = tf.customGrad((...args) => {
    const save = args.pop() as tf.GradSaveFunc;
    const inputs = args as tf.Tensor[];
    let value: tf.Tensor | undefined;
    for (const chunk of chunks) {
      value = tf.tidy(() => {
        const [cuts, others] = apart(inputs, chunk, value ? [value] : []);
        const part = f(named(alongNames, cuts), named(fixedNames, others));
        return value ? tf.add(value, part) : part;
      });
    }
    save(inputs);
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]) => {
      let done: tf.Tensor[] = [];
      const dAlong: tf.Tensor[][] = [];
      let dFixed: tf.Tensor[] | undefined;
      for (const chunk of chunks) {
        const gradients = tf.tidy(() => {
          const [cuts, others] = apart(saved, chunk, done);
          const part = () => f(named(alongNames, cuts), named(fixedNames, others));
          const all = innerGradients(part, [...cuts, ...others], after(dy, done));
          return all.map((d, i) => (i < cuts.length || !dFixed ? d : tf.add(dFixed[i - cuts.length]!, d)));
        });
        dAlong.push(gradients.slice(0, alongNames.length));
        dFixed = gradients.slice(alongNames.length);
        done = gradients;
      }
      return [
        ...alongNames.map((_, i) =>
          tf.concat(
            dAlong.map((ds) => ds[i]!),
            1,
          ),
        ),
        ...dFixed!,
      ];
    };
    return { value: value!, gradFunc };
  });
  return withGradient(...Object.values(along), ...Object.values(fixed));

  /** A chunk of what is cut, and the rest, to be had only after `done`. */
  function apart(inputs: readonly tf.Tensor[], chunk: Stretch, done: readonly tf.Tensor[]) {
    const cuts = inputs
      .slice(0, alongNames.length)
      .map((x) => tf.slice(x as tf.Tensor3D, [0, chunk.from, 0], [-1, chunk.count, -1]));
    return [cuts, inputs.slice(alongNames.length).map((x) => after(x, done))] as const;
  }
}

const named = <T extends tf.Tensor>(names: readonly string[], tensors: readonly T[]): Named<T> =>
  Object.fromEntries(names.map((name, i) => [name, tensors[i]!]));
