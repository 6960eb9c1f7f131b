import * as tf from '@tensorflow/tfjs';
import type { CodebookConfig } from '../config/config.js';
import type { RandomStream } from '../engine/random.js';
import type { Initial, Parameters } from '../engine/state.js';
import { mlp, mlpInitial } from '../layers/mlp.js';
import { unit } from '../layers/normalize.js';
import { codebookName, type ItemCodes } from './itemCodes.js';

/**
 * The item autoencoder whose latent is quantised.
 *   input  x~ = sqrt(shared) * shared / |shared|        (unit root mean square, whatever the scale of the embeddings)
 *   latent v  = E(x~)                                   [..., latent]
 *   output    = G(v) without bias                       [..., shared]
 * Widths: shared -> encoder_hidden -> latent_width -> decoder_hidden -> shared.
 * Source: tarq.md 1.6.1 (inference: the usual item RQ-VAE, scaled down).
 */
export interface ItemAutoencoder {
  initial(stream: RandomStream): Initial;
  /** [vector, shared] -> [vector, shared]: what is encoded, and what the decoder must give back. */
  input(shared: tf.Tensor2D): tf.Tensor2D;
  encode(input: tf.Tensor2D, parameters: Parameters): tf.Tensor2D;
  decode(latent: tf.Tensor2D, parameters: Parameters): tf.Tensor2D;
  /** The raw codebooks, one [code, latent] per level. */
  codebooks(parameters: Parameters): tf.Tensor2D[];
}

export function itemAutoencoder(config: CodebookConfig, sharedWidth: number): ItemAutoencoder {
  const encoder = [sharedWidth, ...config.encoderHidden, config.latentWidth];
  const decoder = [config.latentWidth, ...config.decoderHidden, sharedWidth];
  return {
    initial(stream) {
      const decoderInitial = Object.entries(mlpInitial('decoder', decoder, stream));
      const codebooks = Array.from({ length: config.levels }, (_, level) => [
        codebookName(level),
        {
          shape: [config.codes, config.latentWidth],
          values: stream.normals(config.codes * config.latentWidth),
        },
      ]);
      return {
        ...mlpInitial('encoder', encoder, stream),
        ...(Object.fromEntries(decoderInitial.filter(([name]) => !name.endsWith('/bias'))) as Initial),
        ...(Object.fromEntries(codebooks) as Initial),
      };
    },
    input: (shared) => tf.mul(unit(shared), Math.sqrt(sharedWidth)),
    encode: (input, parameters) => mlp(parameters, 'encoder', encoder.length - 1, input) as tf.Tensor2D,
    decode: (latent, parameters) => mlp(parameters, 'decoder', decoder.length - 1, latent) as tf.Tensor2D,
    codebooks: (parameters) =>
      Array.from({ length: config.levels }, (_, level) => parameters[codebookName(level)] as tf.Tensor2D),
  };
}

/** TARQ's codes: residual codes of the autoencoder's latent. */
export function autoencoderCodes(config: CodebookConfig, sharedWidth: number): ItemCodes {
  const autoencoder = itemAutoencoder(config, sharedWidth);
  return {
    part: 'tarq',
    levels: config.levels,
    codes: config.codes,
    width: config.latentWidth,
    latent: (shared, own) => autoencoder.encode(autoencoder.input(shared), own),
    codebooks: (own) => autoencoder.codebooks(own),
  };
}
