/**
 * The safetensors format: eight bytes of header length, a JSON header with name, type, shape and place of each tensor, then the
 * numbers. It is what every other tool reads; text metadata goes under `__metadata__`.
 */
import { open, readFile } from 'node:fs/promises';
import { CascadeError } from '../errors.js';

type TensorValues = Float32Array | Int32Array | BigInt64Array;

export interface StoredTensor {
  readonly shape: readonly number[];
  readonly values: TensorValues;
}

export interface TensorFile {
  readonly tensors: Readonly<Record<string, StoredTensor>>;
  readonly metadata: Readonly<Record<string, string>>;
}

const typeNames = { F32: Float32Array, I32: Int32Array, I64: BigInt64Array } as const;
type TypeName = keyof typeof typeNames;

const nameOf = (values: TensorValues): TypeName => {
  if (values instanceof Float32Array) return 'F32';
  return values instanceof Int32Array ? 'I32' : 'I64';
};

interface HeaderEntry {
  dtype: TypeName;
  shape: readonly number[];
  data_offsets: readonly [number, number];
}

/** Writes the tensors in the order of their names; the same tensors give the same bytes. */
export async function writeSafetensors(path: string, { tensors, metadata }: TensorFile): Promise<void> {
  const names = Object.keys(tensors).toSorted();
  const header: Record<string, unknown> = {};
  if (Object.keys(metadata).length > 0) header.__metadata__ = metadata;
  let offset = 0;
  for (const name of names) {
    const { shape, values } = tensors[name]!;
    const end = offset + values.byteLength;
    header[name] = { dtype: nameOf(values), shape, data_offsets: [offset, end] } satisfies HeaderEntry;
    offset = end;
  }
  const text = Buffer.from(JSON.stringify(header));
  const aligned = Buffer.concat([text, Buffer.alloc((8 - (text.length % 8)) % 8, ' ')]);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(aligned.length));
  const file = await open(path, 'w');
  try {
    await file.appendFile(length);
    await file.appendFile(aligned);
    for (const name of names) {
      const { values } = tensors[name]!;
      await file.appendFile(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    }
  } finally {
    await file.close();
  }
}

export async function readSafetensors(path: string): Promise<TensorFile> {
  const bytes = await readFile(path);
  const damaged = (why: string) =>
    new CascadeError({
      code: 'run.damaged_weights',
      where: path,
      what: `This safetensors file cannot be read: ${why}.`,
      mend: 'Run the stage that wrote it again with --force.',
    });
  if (bytes.length < 8) throw damaged('it is shorter than its header');
  const headerLength = Number(bytes.readBigUInt64LE(0));
  if (8 + headerLength > bytes.length) throw damaged('its header is cut off');
  const header = JSON.parse(bytes.toString('utf8', 8, 8 + headerLength)) as Record<string, unknown>;
  const metadata = (header.__metadata__ ?? {}) as Record<string, string>;
  const tensors: Record<string, StoredTensor> = {};
  for (const [name, value] of Object.entries(header)) {
    if (name === '__metadata__') continue;
    const entry = value as HeaderEntry;
    const [start, end] = entry.data_offsets;
    if (8 + headerLength + end > bytes.length) throw damaged(`tensor ${name} is cut off`);
    const copy = new Uint8Array(bytes.subarray(8 + headerLength + start, 8 + headerLength + end));
    tensors[name] = { shape: entry.shape, values: new typeNames[entry.dtype](copy.buffer) };
  }
  return { tensors, metadata };
}
