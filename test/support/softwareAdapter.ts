/**
 * Vulkan in software: SwiftShader comes with Chromium (Debian's package `chromium`), and so does the loader. Both variables are read
 * when a process starts or first opens Vulkan, so vitest sets them for the processes of the tests that need them.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const folders = ['/usr/lib/chromium', '/usr/lib64/chromium-browser', '/opt/google/chrome'];
const manifest = 'vk_swiftshader_icd.json';

/** Environment in which WebGPU finds SwiftShader; empty where it is not installed, or the machine was told of another adapter. */
export function softwareAdapter(): Record<string, string> {
  const folder = folders.find((path) => existsSync(join(path, manifest)));
  if (!folder || process.env.VK_ICD_FILENAMES || process.env.VK_DRIVER_FILES) return {};
  const libraries = [process.env.LD_LIBRARY_PATH, folder].filter(Boolean).join(':');
  return { VK_ICD_FILENAMES: join(folder, manifest), LD_LIBRARY_PATH: libraries };
}
