import { defineConfig } from 'vitest/config';
import { softwareAdapter } from './test/support/softwareAdapter.js';

export default defineConfig({
  test: {
    globalSetup: 'test/support/temporary.ts',
    // Native engines (DuckDB, ONNX Runtime) in processes of their own; two cores share them.
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 240_000,
    hookTimeout: 120_000,
    projects: [
      {
        extends: true,
        test: {
          name: 'processor',
          include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
          exclude: ['src/**/*.webgpu.test.ts'],
        },
      },
      {
        extends: true,
        test: { name: 'webgpu', include: ['src/**/*.webgpu.test.ts'], env: softwareAdapter() },
      },
    ],
  },
});
