/**
 * Target attention evaluated at item codes and corrected to first order: the students `tangent` (one code of many) and `prefix` (a sum
 * of residual codes).
 *
 *   phi(x) = sqrt(g) e(x)/|e(x)|,  so that phi(x) . phi(j) = g cos(x, j)       e: shared embeddings x, or the user's own vectors
 *   q(x)   = Σ_l c^l[z_l(x)]                                  nearest code of phi(x); its residual on further levels
 *   w_j    = softmax_j(q . phi_j + r[age_j])                  A = logsumexp_j(q . phi_j + r[age_j]) - g
 *   count  = max(0, softplus(A) + sigmoid(A) (phi(x) - q) . Σ_j w_j phi_j)                       the tangent of softplus(A) at q
 *   score  = w count + exp(log_scale) cos(W (V Σ_j w_j x_j + v0), P(x)) + bias,   w starting at 0
 *
 * softplus(A) = log(1 + Σ_j exp(g cos + r - g)) is a soft count of behaviours like the item. It is convex in q, so that its tangent
 * never exceeds it. All that depends on the history is a table over codes: per request once, whatever the number of candidates.
 * With several levels the table holds the codes' products with each behaviour, and the products of a candidate's codes add up (score
 * recombination): still no product per behaviour, though one addition. Codes are centres fitted by k-means (train/codeFitting.ts), not
 * by gradients; with `straight_through` the item's vector gets the gradient that its code would get.
 * Where training asks for it, W (V Σ_j w_j x_j + v0) at the candidate's query is drawn to the teacher's vector, and the geometry of
 * the first level's attended codes to that of the centres (tarq.md 1.7; further levels are residuals, which attend to nothing).
 * With vectors of the user's (`codebook.item_vectors`) phi reads these, for candidate and behaviour alike, since both are items: where
 * a behaviour counts is then fixed up to g and r, what it brings (x_j) is learned. Nothing above asks where phi comes from, so that the
 * tangent stays below exact attention. The alternative, codes by the vectors and phi by what is learned, was left: items of one code
 * then lie far apart in phi, which is what the tangent cannot bridge. HiSAC divides its behaviours the same way (hisac.md: semantic
 * vectors decide where, learned ones what). The slope of a code is as wide as the vectors: of wide ones give a projection.
 * Source: tangent-codes.md sections 4 and 5 (measured level with exact attention on two sets with a gap).
 */
import { tf } from '../engine/tf.js';
import type { CodeAttentionConfig } from '../config/config.js';
import { stopGradient, straightThrough } from '../engine/autodiff.js';
import type { Parameters } from '../engine/state.js';
import { quantise } from '../codebooks/residual.js';
import { isLong } from '../layers/chunks.js';
import { codedBy, type Dimensions, type RequestInputs, type SequenceInput } from '../layers/inputs.js';
import { linearInitial } from '../layers/linear.js';
import { mlp, mlpInitial } from '../layers/mlp.js';
import { dot, unit } from '../layers/normalize.js';
import { lookUpPersonal } from '../layers/personalTable.js';
import { recencyInitial } from '../layers/recency.js';
import { attendAt, attendBy, historyOf, kernel, type Attended, type History } from './attendedHistory.js';
import {
  firstSequences,
  sampledAlignment,
  sampledRequests,
  type AlignmentSettings,
} from './sampledAlignment.js';
import { codebookName, type ItemCodes } from './itemCodes.js';
import { reconstructionLoss } from '../losses/reconstruction.js';
import type { ItemState, PreRanker, UserState } from './preRanker.js';
import { primed, primedInitial } from '../layers/primed.js';

/** Part of the student's parameters that is attention at codes. */
const part = 'attention';

export interface CodeAttentionOptions {
  readonly student: CodeAttentionConfig;
  readonly dimensions: Dimensions;
  /** Hidden width of the item's projection P. */
  readonly projectionHidden: number;
  readonly losses: AlignmentSettings;
}

export function attentionCodes(student: CodeAttentionConfig, coded: number): ItemCodes {
  const levels = student.kind === 'prefix' ? student.levels : 1;
  const codebooks = (own: Parameters) =>
    Array.from({ length: levels }, (_, level) => own[codebookName(level)] as tf.Tensor2D);
  return {
    part,
    levels,
    codes: student.codes,
    width: coded,
    latent: kernel,
    codebooks,
    quantise: (latent, own) => quantise(latent, codebooks(own)),
    distance: 'euclidean',
  };
}

export function codeAttention(options: CodeAttentionOptions): PreRanker {
  const { student, dimensions, projectionHidden, losses } = options;
  const { width, softCount } = student;
  const { shared, coded, item, behaviours } = dimensions;
  const coder = attentionCodes(student, coded);
  const takesTangent = softCount && student.tangent;

  const read = (sequence: SequenceInput, parameters: Parameters): History =>
    historyOf(sequence, student.recency, parameters);

  /** w count + direction . P(x) + bias; `offset`: (phi(x) - q) . centre, [request, candidate]. */
  const scoreOf = (
    { excess, direction }: Pick<Attended, 'excess' | 'direction'>,
    offset: () => tf.Tensor,
    projection: tf.Tensor,
    parameters: Parameters,
  ): tf.Tensor2D => {
    const interaction = tf.add(dot(direction, projection), parameters.bias!);
    if (!softCount) return interaction as tf.Tensor2D;
    const value = tf.softplus(excess);
    const count = takesTangent ? tf.relu(tf.add(value, tf.mul(tf.sigmoid(excess), offset()))) : value;
    return tf.add(interaction, tf.mul(count, primed(parameters, 'count')));
  };

  /** User side with one level: per code the tangent's value at 0 and slope, and the direction; [request, code, 1 + coded + width]. */
  const codeTable = (sequence: SequenceInput, parameters: Parameters): UserState => {
    const codes = spread(coder.codebooks(parameters)[0]!, sequence.x.shape[0]);
    const attended = attendAt(codes, read(sequence, parameters), parameters);
    const value = tf.expandDims(tf.softplus(attended.excess), 2);
    const slope = tf.mul(tf.expandDims(tf.sigmoid(attended.excess), 2), attended.centre);
    const atZero = tf.sub(value, tf.sum(tf.mul(slope, codes), 2, true));
    const count = takesTangent ? [atZero, slope] : [value];
    return { table: tf.concat([...(softCount ? count : []), attended.direction], 2) };
  };

  const scoreFromTable = (user: UserState, state: ItemState, parameters: Parameters): tf.Tensor2D => {
    const rows = lookUpPersonal(user.table as tf.Tensor3D, levelCodes(state.codes!, 0));
    const columns = (from: number, count: number) => tf.slice(rows, [0, 0, from], [-1, -1, count]);
    const directionAt = softCount ? (takesTangent ? 1 + coded : 1) : 0;
    const interaction = tf.add(dot(columns(directionAt, width), state.projection!), parameters.bias!);
    if (!softCount) return interaction as tf.Tensor2D;
    const value = tf.squeeze(columns(0, 1), [2]);
    const count = takesTangent ? tf.relu(tf.add(value, dot(columns(1, coded), state.kernel!))) : value;
    return tf.add(interaction, tf.mul(count, primed(parameters, 'count')));
  };

  /**
   * User side with several levels: the history, and the products of every code with every behaviour, which `score` adds up. Over a
   * long history these would be the largest array of all: there `score` adds up the codes themselves, and attends in chunks.
   */
  const codeProducts = (sequence: SequenceInput, parameters: Parameters): UserState => {
    const history = read(sequence, parameters);
    const codes = spread(tf.concat(coder.codebooks(parameters), 0), sequence.x.shape[0]);
    if (isLong(sequence.x.shape[1])) return { ...history, codes }; // [request, level * code, coded]
    return { ...history, products: tf.matMul(codes, history.kernel, false, true) }; // [request, level * code, behaviour]
  };

  const scoreByRecombination = (user: UserState, state: ItemState, parameters: Parameters): tf.Tensor2D => {
    const { kernel, bias, x, present } = user;
    const history = { kernel, bias, x, present } as History; // what codeProducts put there
    const table = (user.products ?? user.codes) as tf.Tensor3D;
    const added = Array.from({ length: coder.levels }, (_, level) =>
      lookUpPersonal(table, tf.add(levelCodes(state.codes!, level), tf.scalar(level * coder.codes, 'int32'))),
    ).reduce((sum, part) => tf.add(sum, part));
    if (!user.products) {
      const attended = attendAt(added, history, parameters);
      const offset = () => dot(tf.sub(state.kernel!, added), attended.centre);
      return scoreOf(attended, offset, state.projection!, parameters);
    }
    const attended = attendBy(added, history, parameters);
    // q . centre = Σ_j w_j (q . phi_j): the code itself is not needed.
    const offset = () =>
      tf.sub(dot(state.kernel!, attended.centre), tf.sum(tf.mul(attended.weights, added), 2));
    return scoreOf(attended, offset, state.projection!, parameters);
  };

  return {
    initial(stream) {
      const spreadOfKernel = Math.sqrt(student.similarityStart / coded);
      return {
        ...Object.fromEntries(
          Array.from({ length: coder.levels }, (_, level) => [
            codebookName(level),
            {
              shape: [coder.codes, coded],
              values: stream.normals(coder.codes * coded, spreadOfKernel),
            },
          ]),
        ),
        log_similarity: { shape: [], values: Float32Array.of(Math.log(student.similarityStart)) },
        ...(student.recency && recencyInitial(behaviours)),
        ...linearInitial('value', { from: shared, to: width }, stream),
        ...linearInitial('head', { from: width, to: width, bias: false }, stream),
        ...mlpInitial('projection', [item, projectionHidden, width], stream),
        log_scale: { shape: [], values: Float32Array.of(Math.log(5)) },
        bias: { shape: [], values: new Float32Array(1) },
        ...(softCount && primedInitial('count')),
      };
    },

    userSide: (_user, _context, sequence, parameters) =>
      coder.levels === 1 ? codeTable(sequence, parameters) : codeProducts(sequence, parameters),

    itemSide(itemInput, parameters) {
      const phi = kernel(codedBy.item(itemInput), parameters);
      const leading = phi.shape.slice(0, -1);
      const { codes } = coder.quantise(tf.reshape(phi, [-1, coded]), parameters);
      return {
        ...(takesTangent && { kernel: phi }),
        projection: unit(mlp(parameters, 'projection', 2, itemInput.x)),
        codes: tf.reshape(tf.stack([...codes], 1), [...leading, coder.levels]),
      };
    },

    score: (user, state, parameters) =>
      coder.levels === 1
        ? scoreFromTable(user, state, parameters)
        : scoreByRecombination(user, state, parameters),

    trainScore(inputs, parameters, { teacherVector, mask }) {
      const { exact, code, firstCodes } = queries(inputs, parameters);
      const query = student.straightThrough ? straightThrough(code, exact) : code;
      const { logits, vector } = scoreAt(query, exact, inputs, parameters);
      if (!teacherVector) return { logits, terms: {}, vector };
      const reconstruction = reconstructionLoss(vector, teacherVector, mask);
      if (losses.alignment === 0) return { logits, terms: { reconstruction }, vector };
      const centres = stopGradient(coder.codebooks(parameters)[0]!);
      const sampled = sampledRequests(mask.shape[0], losses);
      const history = read(firstSequences(inputs.sequence, sampled), parameters);
      const alignment = sampledAlignment(
        {
          latent: exact,
          raw: [centres],
          teacher: teacherVector,
          personal: [attendAt(spread(centres, sampled), history, parameters).vector],
          codes: [tf.reshape<tf.Rank.R2>(firstCodes, mask.shape)],
          mask,
        },
        losses,
      );
      return { logits, terms: { reconstruction, alignment }, vector };
    },

    attentionTerm(inputs, parameters) {
      const { exact, code } = queries(inputs, parameters);
      return {
        approximate: scoreAt(code, exact, inputs, parameters).logits,
        exact: scoreAt(exact, exact, inputs, parameters).logits,
      };
    },
  };

  /** phi of the candidates and their codes, constants: [request, candidate, coded]; first codes: [request · candidate]. */
  function queries({ item: itemInput }: RequestInputs, parameters: Parameters) {
    const exact = kernel(codedBy.item(itemInput), parameters) as tf.Tensor3D;
    const centres = coder.codebooks(parameters).map(stopGradient);
    const { partialSums, codes } = quantise(stopGradient(tf.reshape(exact, [-1, coded])), centres);
    return { exact, code: tf.reshape<tf.Rank.R3>(partialSums.at(-1)!, exact.shape), firstCodes: codes[0]! };
  }

  /** The term with attention at these queries, corrected towards the exact ones. */
  function scoreAt(
    query: tf.Tensor3D,
    exact: tf.Tensor3D,
    { sequence, item: itemInput }: RequestInputs,
    parameters: Parameters,
  ): { logits: tf.Tensor2D; vector: tf.Tensor3D } {
    const attended = attendAt(query, read(sequence, parameters), parameters);
    const offset = () => dot(tf.sub(exact, query), attended.centre);
    const projection = unit(mlp(parameters, 'projection', 2, itemInput.x));
    return { logits: scoreOf(attended, offset, projection, parameters), vector: attended.vector };
  }
}

/** The same codes for every request: [code, width] -> [request, code, width], for a batched product. */
const spread = (codes: tf.Tensor2D, requests: number): tf.Tensor3D =>
  tf.tile<tf.Tensor3D>(tf.expandDims(codes, 0), [requests, 1, 1]);

/** Codes of one level: [request, candidate, level] -> [request, candidate]. */
const levelCodes = (codes: tf.Tensor, level: number): tf.Tensor2D =>
  tf.squeeze<tf.Tensor2D>(tf.slice(codes, [0, 0, level], [-1, -1, 1]), [2]);
