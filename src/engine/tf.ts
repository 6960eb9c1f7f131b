/**
 * tfjs, loaded as the CommonJS that it is. Imported as a module, its megabytes would be searched for the names of their exports first:
 * half a second of a processor and 27 MB more before anything is trained.
 */
export import tf = require('@tensorflow/tfjs');
