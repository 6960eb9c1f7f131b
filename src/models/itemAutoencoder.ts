import { tf } from '../engine/tf.js';
import { angularDistances, nearestDirection } from '../codebooks/direction.js';
import { partsOf, within } from '../codebooks/product.js';
import { nearest, quantise, squaredDistances, type Quantised } from '../codebooks/residual.js';
import { balanced } from '../codebooks/sinkhorn.js';
import type { CodebookConfig } from '../config/config.js';
import { stopGradient } from '../engine/autodiff.js';
import type { RandomStream } from '../engine/random.js';
import type { Initial, Parameters } from '../engine/state.js';
import { mlp, mlpInitial } from '../layers/mlp.js';
import { unit } from '../layers/normalize.js';
import { codebookName, usageName, type ItemCodes } from './itemCodes.js';

/**
 * The item autoencoder whose latent is quantised.
 *   input  x~ = sqrt(coded) * x / |x|                   (unit root mean square, whatever the scale of the vectors)
 *   latent v  = E(x~)                                   [..., latent]
 *   output    = G(v) without bias                       [..., coded]
 * x: [..., coded], the shared embeddings or the user's own vectors.
 * Widths: coded -> encoder_hidden -> latent_width -> decoder_hidden -> coded.
 * Source: tarq.md 1.6.1 (inference: the usual item RQ-VAE, scaled down).
 */
export interface ItemAutoencoder {
  initial(stream: RandomStream): Initial;
  /** [vector, coded] -> [vector, coded]: what is encoded, and what the decoder must give back. */
  input(coded: tf.Tensor2D): tf.Tensor2D;
  encode(input: tf.Tensor2D, parameters: Parameters): tf.Tensor2D;
  decode(latent: tf.Tensor2D, parameters: Parameters): tf.Tensor2D;
  /** The raw codebooks, one [code, latent] per level: constants where codes are moving averages (train/codeUpkeep.ts). */
  codebooks(parameters: Parameters): tf.Tensor2D[];
  /** By the nearest codes, or in the steps that train the autoencoder alone by the assignment that the config names. */
  quantise(latent: tf.Tensor2D, parameters: Parameters, assignment?: 'configured'): Quantised;
}

export function itemAutoencoder(config: CodebookConfig, codedWidth: number): ItemAutoencoder {
  const encoder = [codedWidth, ...config.encoderHidden, config.latentWidth];
  const decoder = [config.latentWidth, ...config.decoderHidden, codedWidth];
  const levels = Array.from({ length: config.levels }, (_, level) => level);
  const { latentWidth } = config;
  const parts = codeParts(config);
  const partsIn = () => parts?.map((part) => tf.tensor2d(part, [1, latentWidth]));
  const averaged = config.updates.kind === 'ema';
  const cosine = config.distance === 'cosine';
  const chooseNearest = cosine ? nearestDirection : nearest;
  const chooseInTraining =
    config.assignment.kind === 'sinkhorn'
      ? balanced(cosine ? angularDistances : squaredDistances, config.assignment)
      : chooseNearest;
  const codebooksIn = (parameters: Parameters) => {
    const masks = partsIn();
    return levels.map((level) => {
      const own = parameters[codebookName(level)] as tf.Tensor2D;
      const codebook = masks ? tf.mul<tf.Tensor2D>(own, masks[level]!) : own;
      return averaged ? stopGradient(codebook) : codebook;
    });
  };
  return {
    initial(stream) {
      const decoderInitial = Object.entries(mlpInitial('decoder', decoder, stream));
      const codebooks = levels.map((level) => [
        codebookName(level),
        {
          shape: [config.codes, latentWidth],
          values: within(parts?.[level], stream.normals(config.codes * latentWidth)),
        },
      ]);
      return {
        ...mlpInitial('encoder', encoder, stream),
        ...(Object.fromEntries(decoderInitial.filter(([name]) => !name.endsWith('/bias'))) as Initial),
        ...(Object.fromEntries(codebooks) as Initial),
        ...(averaged && evenUsage(config)),
      };
    },
    input: (coded) => unit(coded, tf.scalar(Math.sqrt(codedWidth))),
    encode: (input, parameters) => mlp(parameters, 'encoder', encoder.length - 1, input) as tf.Tensor2D,
    decode: (latent, parameters) => mlp(parameters, 'decoder', decoder.length - 1, latent) as tf.Tensor2D,
    codebooks: codebooksIn,
    quantise: (latent, parameters, assignment) => ({
      ...quantise(latent, codebooksIn(parameters), assignment ? chooseInTraining : chooseNearest),
      parts: partsIn(),
    }),
  };
}

const codeParts = ({ structure, levels, latentWidth }: CodebookConfig) =>
  structure === 'product' ? partsOf(levels, latentWidth) : undefined;

/** Moving averages begin as if every code had been chosen alike before: the start counts as much as any steps since. */
function evenUsage({ levels, codes, itemsPerStep }: CodebookConfig): Initial {
  return Object.fromEntries(
    Array.from({ length: levels }, (_, level) => [
      usageName(level),
      { shape: [codes], values: new Float32Array(codes).fill(itemsPerStep / codes) },
    ]),
  );
}

/** TARQ's codes: residual codes of the autoencoder's latent. */
export function autoencoderCodes(config: CodebookConfig, codedWidth: number): ItemCodes {
  const autoencoder = itemAutoencoder(config, codedWidth);
  return {
    part: 'tarq',
    levels: config.levels,
    codes: config.codes,
    width: config.latentWidth,
    latent: (coded, own) => autoencoder.encode(autoencoder.input(coded), own),
    codebooks: (own) => autoencoder.codebooks(own),
    quantise: (latent, own) => autoencoder.quantise(latent, own),
    distance: config.distance,
    parts: codeParts(config),
  };
}
