/**
 * TARQ's interaction term: target attention approximated by residual quantisation.
 *
 * Per request every code of the raw codebooks attends to the behaviours, which gives a personal codebook; per candidate the L
 * vectors that its codes name are looked up and added; one vector product with the item's projection is the score.
 *
 *   e      = coded / |coded|,  v = E(sqrt(coded) e),  z_l = residual codes of v                          (offline, per item)
 *   c^l_k  = G(X^l_k) / sqrt(coded)                                             the decoded code, a part of a unit vector
 *   Xbar^l_k = gate_l Σ_j softmax_j(Wq X^l_k . Wk x_j / sqrt(width) + g <c^l_k, e_j> + r[age_j]) Wv^l x_j
 *   h      = Σ_l Xbar^l[z_l]                                                                              [width]
 *   score  = exp(log_scale) cos(W h, P(item)) + bias
 *
 * x_j: [shared], the embeddings that candidate and behaviour have in common; coded: the same, or the user's own vectors
 * (`codebook.item_vectors`); X^l: [code, latent]; Xbar^l: [request, code, width].
 * With vectors of the user's, encoder, codes and similarity start live in their space, which nothing moves: they say which
 * behaviours are like the item. What is learned says what they are worth: keys and values read x_j as before, and the straight-through
 * query has no gradient to pass.
 * Sources: tarq.md 1.6 (the frame), reference-experiments.md and tangent-codes.md (similarity start; straight-through query).
 * Where we differ from the paper, and why: the autoencoder works on embeddings of unit length, so that codes have a scale when
 * embeddings are small; the decoder is linear by default and without bias, so that the decoded code of one level means something and
 * the parts of a code tuple add up; gates start at 1 for the first level and 0 for the others, because a residual is not an item.
 */
import { tf } from '../engine/tf.js';
import type { CodebookConfig, TarqConfig } from '../config/config.js';
import { stopGradient } from '../engine/autodiff.js';
import type { RandomStream } from '../engine/random.js';
import type { Initial, Parameters } from '../engine/state.js';
import type { Quantised } from '../codebooks/residual.js';
import { attend, type AttentionInputs } from '../layers/attention.js';
import { lookUpAttended } from '../layers/attendedLookUp.js';
import { isLong } from '../layers/chunks.js';
import {
  codedBy,
  type Dimensions,
  type ItemInput,
  type RequestInputs,
  type SequenceInput,
} from '../layers/inputs.js';
import { firstRequests } from '../layers/firstRequests.js';
import { linear, linearInitial } from '../layers/linear.js';
import { mlp, mlpInitial } from '../layers/mlp.js';
import { cosine, dot, unit } from '../layers/normalize.js';
import { lookUpPersonal } from '../layers/personalTable.js';
import { autoencoderLoss } from '../losses/autoencoder.js';
import { reconstructionLoss } from '../losses/reconstruction.js';
import { itemAutoencoder } from './itemAutoencoder.js';
import {
  firstSequences,
  sampledAlignment,
  sampledRequests,
  type AlignmentSettings,
} from './sampledAlignment.js';
import type { PreRanker, TrainedScore, TrainingGuide } from './preRanker.js';
import { similarityBias, similarityInitial, similarityKeys } from './similarity.js';

export interface TarqOptions {
  readonly student: TarqConfig;
  readonly codebook: CodebookConfig;
  readonly dimensions: Dimensions;
  /** Hidden width of the item's projection P. */
  readonly projectionHidden: number;
  readonly losses: AlignmentSettings;
}

/** What codes attend to, made once for all of them. Keys and values (per level): [request, behaviour, width]. */
interface MappedSequence {
  readonly keys: tf.Tensor3D;
  readonly values: readonly tf.Tensor3D[];
  /** [request, behaviour, coded] */
  readonly similar: tf.Tensor3D;
}

/** What the codes of a level attended to, [request, code, width], and how. */
interface PersonalCodebook {
  readonly attention: AttentionInputs;
  readonly vectors: tf.Tensor3D;
}

const vectorsOf = (personal: readonly PersonalCodebook[]) => personal.map(({ vectors }) => vectors);

/** What attends, and by what it is similar to behaviours: [..., width] and [..., coded]. */
interface Queries<T> {
  readonly queries: T;
  readonly similar: T;
}

export function tarqTerm({
  student,
  codebook,
  dimensions,
  projectionHidden,
  losses,
}: TarqOptions): PreRanker {
  const { width, heads } = student;
  const { shared, coded, item } = dimensions;
  const autoencoder = itemAutoencoder(codebook, coded);
  const levels = Array.from({ length: codebook.levels }, (_, level) => level);
  const valueMap = (level: number) => (student.valueMaps === 'per_level' ? `value/${level}` : 'value/0');

  const mapSequence = (sequence: SequenceInput, parameters: Parameters): MappedSequence => ({
    keys: linear(parameters, 'key', sequence.x) as tf.Tensor3D,
    values: levels.map((level) => linear(parameters, valueMap(level), sequence.x) as tf.Tensor3D),
    similar: similarityKeys(student, parameters, codedBy.sequence(sequence)),
  });

  /** Gated attention of some codes of a level: [request, query, …]. */
  const attentionOf = (
    level: number,
    { queries, similar }: Queries<tf.Tensor3D>,
    sequence: SequenceInput,
    mapped: MappedSequence,
    parameters: Parameters,
  ): AttentionInputs => ({
    queries,
    keys: mapped.keys,
    values: mapped.values[level]!,
    mask: sequence.mask,
    heads,
    bias: similarityBias(student, parameters, similar, mapped.similar),
    gate: student.levelGates ? tf.slice(parameters.gates!, [level], [1]) : undefined,
  });

  /** What the codes of a codebook ask with, [code, latent] -> [code, …]; c^l, the decoded codes, are what they are similar by. */
  const codeQueries = (codes: tf.Tensor2D, parameters: Parameters): Queries<tf.Tensor2D> => ({
    queries: linear(parameters, 'query', codes) as tf.Tensor2D,
    similar: tf.mul(autoencoder.decode(codes, parameters), 1 / Math.sqrt(coded)),
  });

  /** Queries of all codes, per level. */
  const allQueries = (parameters: Parameters): Queries<tf.Tensor2D>[] =>
    autoencoder.codebooks(parameters).map((codes) => codeQueries(codes, parameters));

  /** Personal codebooks. */
  const personalCodebooks = (
    codes: readonly Queries<tf.Tensor2D>[],
    sequence: SequenceInput,
    mapped: MappedSequence,
    parameters: Parameters,
  ): PersonalCodebook[] => {
    // They do not depend on the user; similarity's product, whose gradient tfjs derives, is given one of each for every request.
    const requests = sequence.x.shape[0];
    const spread = (x: tf.Tensor2D) => tf.tile<tf.Tensor3D>(tf.expandDims(x, 0), [requests, 1, 1]);
    return codes.map(({ queries, similar }, level) => {
      const asked = { queries: tf.expandDims<tf.Tensor3D>(queries, 0), similar: spread(similar) };
      const attention = attentionOf(level, asked, sequence, mapped, parameters);
      return { attention, vectors: attend(attention) };
    });
  };

  const quantiseItems = (item: ItemInput, parameters: Parameters) => {
    const by = codedBy.item(item);
    const leading = by.shape.slice(0, -1);
    const input = autoencoder.input(tf.reshape(by, [-1, coded]));
    const latent = autoencoder.encode(stopGradient(input), parameters);
    return { leading, input, latent, quantised: autoencoder.quantise(latent, parameters) };
  };

  const projection = (item: ItemInput, parameters: Parameters) => mlp(parameters, 'projection', 2, item.x);

  const logitOf = (match: tf.Tensor, parameters: Parameters): tf.Tensor2D =>
    tf.add(tf.mul(match, tf.exp(parameters.log_scale!)), parameters.bias!);

  /** projected: P(item), of any length. */
  const head = (vector: tf.Tensor, projected: tf.Tensor, parameters: Parameters): tf.Tensor2D =>
    logitOf(cosine(linear(parameters, 'head', vector), projected), parameters);

  /** Attention with the items' own latents in place of codes: what more codes would come to (T1). */
  const attendExactly = (
    inputs: RequestInputs,
    latent: tf.Tensor2D,
    mapped: MappedSequence,
    parameters: Parameters,
  ): tf.Tensor3D => {
    const [requests, candidates] = inputs.mask.shape;
    const perRequest = tf.reshape<tf.Rank.R3>(latent, [requests, candidates, codebook.latentWidth]);
    const queries = linear(parameters, 'query', perRequest) as tf.Tensor3D;
    const similar = unit(codedBy.item(inputs.item)) as tf.Tensor3D;
    return attend(attentionOf(0, { queries, similar }, inputs.sequence, mapped, parameters));
  };

  /**
   * Student vector in training: what the codes name is looked up where personal codebooks are made anyway (`personal`); otherwise the
   * looked-up codes attend themselves, which gives the same without the codes that nobody asked for. Where the first level's similarity
   * is straight-through, a candidate's own is what its vector has a gradient by.
   */
  const attendSelected = (
    inputs: RequestInputs,
    { codes }: Quantised,
    tables: readonly Queries<tf.Tensor2D>[],
    mapped: MappedSequence,
    parameters: Parameters,
    personal?: readonly PersonalCodebook[],
  ): tf.Tensor3D => {
    const [requests, candidates] = inputs.mask.shape;
    const perRequest = (x: tf.Tensor) => tf.reshape<tf.Rank.R3>(x, [requests, candidates, x.shape[1]!]);
    const direct = perRequest(unit(tf.reshape(codedBy.item(inputs.item), [-1, coded])));
    const vectors = levels.map((level) => {
      const straight = level === 0 && student.straightThrough && student.similarityStart > 0;
      const levelCodes = codes[level]!;
      const lookedUp = tf.reshape<tf.Rank.R2>(levelCodes, [requests, candidates]);
      if (personal && !(straight && isLong(inputs.sequence.mask.shape[1]))) {
        const { attention, vectors: table } = personal[level]!;
        if (!straight) return lookUpPersonal(table, lookedUp);
        const own = tf.matMul<tf.Tensor3D>(direct, stopGradient(mapped.similar), false, true);
        return lookUpAttended(table, lookedUp, own, attention);
      }
      const chosen = (table: tf.Tensor2D) => perRequest(tf.gather(table, levelCodes));
      const queries = chosen(tables[level]!.queries);
      const decoded = chosen(tables[level]!.similar);
      const similar = straight ? tf.add<tf.Tensor3D>(decoded, tf.sub(direct, stopGradient(direct))) : decoded;
      return attend(attentionOf(level, { queries, similar }, inputs.sequence, mapped, parameters));
    });
    return vectors.reduce((sum, vector) => tf.add<tf.Tensor3D>(sum, vector));
  };

  return {
    initial(stream: RandomStream): Initial {
      const valueMaps = student.valueMaps === 'per_level' ? levels : [0];
      return {
        ...autoencoder.initial(stream),
        ...linearInitial('query', { from: codebook.latentWidth, to: width }, stream),
        ...linearInitial('key', { from: shared, to: width }, stream),
        ...(Object.assign(
          {},
          ...valueMaps.map((level) => linearInitial(`value/${level}`, { from: shared, to: width }, stream)),
        ) as Initial),
        ...(student.levelGates && {
          gates: {
            shape: [codebook.levels],
            values: Float32Array.from(levels, (level) => (level === 0 ? 1 : 0)),
          },
        }),
        ...similarityInitial(student, dimensions.behaviours),
        ...linearInitial('head', { from: width, to: width, bias: false }, stream),
        ...mlpInitial('projection', [item, projectionHidden, width], stream),
        log_scale: { shape: [], values: Float32Array.of(Math.log(5)) },
        bias: { shape: [], values: new Float32Array(1) },
      };
    },

    userSide(_user, _context, sequence, parameters) {
      const mapped = mapSequence(sequence, parameters);
      const personal = personalCodebooks(allQueries(parameters), sequence, mapped, parameters);
      return { codebook: tf.concat(vectorsOf(personal), 1) }; // [request, level * code, width]
    },

    itemSide(itemInput, parameters) {
      const { leading, quantised } = quantiseItems(itemInput, parameters);
      const codes = tf.stack([...quantised.codes], 1); // [item, level]
      return {
        projection: unit(projection(itemInput, parameters)),
        codes: tf.reshape(codes, [...leading, codebook.levels]),
      };
    },

    score(user, itemState, parameters) {
      const vectors = levels.map((level) => {
        const codes = tf.squeeze<tf.Tensor2D>(tf.slice(itemState.codes!, [0, 0, level], [-1, -1, 1]), [2]);
        return lookUpPersonal(
          user.codebook as tf.Tensor3D,
          tf.add(codes, tf.scalar(level * codebook.codes, 'int32')),
        );
      });
      const vector = vectors.reduce((sum, part) => tf.add(sum, part));
      return logitOf(dot(unit(linear(parameters, 'head', vector)), itemState.projection!), parameters);
    },

    trainScore(inputs: RequestInputs, parameters: Parameters, guide: TrainingGuide): TrainedScore {
      const { input, latent, quantised } = quantiseItems(inputs.item, parameters);
      const mapped = mapSequence(inputs.sequence, parameters);
      const queries = allQueries(parameters);
      const aligns = guide.teacherVector && losses.alignment > 0;
      const personal = aligns && personalOfSample(inputs, queries, mapped, parameters);
      const everyone = personal && personal[0]!.vectors.shape[0] === inputs.mask.shape[0];
      const vector = attendSelected(
        inputs,
        quantised,
        queries,
        mapped,
        parameters,
        everyone ? personal : undefined,
      );
      const logits = head(vector, projection(inputs.item, parameters), parameters);
      const decode = (x: tf.Tensor2D) => autoencoder.decode(x, parameters);
      const terms: Record<string, tf.Scalar> = {
        autoencoder: autoencoderLoss(
          input,
          latent,
          quantised,
          decode,
          codebook,
          tf.reshape(guide.mask, [-1]),
        ),
      };
      if (guide.teacherVector) {
        terms.reconstruction = reconstructionLoss(vector, guide.teacherVector, guide.mask);
        if (personal) {
          const perRequest = (codes: tf.Tensor) => tf.reshape<tf.Rank.R2>(codes, guide.mask.shape);
          terms.alignment = sampledAlignment(
            {
              latent: tf.reshape(latent, [...guide.mask.shape, codebook.latentWidth]),
              raw: autoencoder.codebooks(parameters),
              teacher: guide.teacherVector,
              personal: vectorsOf(personal),
              codes: quantised.codes.map(perRequest),
              mask: guide.mask,
            },
            losses,
          );
        }
      }
      return { logits, terms, vector };
    },

    attentionTerm(inputs, parameters) {
      const { latent, quantised } = quantiseItems(inputs.item, parameters);
      const projected = projection(inputs.item, parameters);
      const mapped = mapSequence(inputs.sequence, parameters);
      return {
        approximate: head(
          attendSelected(inputs, quantised, allQueries(parameters), mapped, parameters),
          projected,
          parameters,
        ),
        exact: head(attendExactly(inputs, latent, mapped, parameters), projected, parameters),
      };
    },
  };

  /** Personal codebooks of the requests that alignment is computed on. */
  function personalOfSample(
    { sequence }: RequestInputs,
    queries: readonly Queries<tf.Tensor2D>[],
    { keys, values, similar }: MappedSequence,
    parameters: Parameters,
  ): PersonalCodebook[] {
    const sampled = sampledRequests(sequence.x.shape[0], losses);
    const first = firstRequests(sampled);
    return personalCodebooks(
      queries,
      firstSequences(sequence, sampled),
      { keys: first(keys), values: values.map(first), similar: first(similar) },
      parameters,
    );
  }
}
