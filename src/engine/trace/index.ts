/** The recording backend with all its kernels. */
import './kernels/elementwise.js';
import './kernels/gather.js';
import './kernels/matmul.js';
import './kernels/reduce.js';
import './kernels/shape.js';

export { registeredKernels, trace, type DType, type TensorSpec } from './backend.js';
