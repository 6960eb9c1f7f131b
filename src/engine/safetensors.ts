/**
 * The safetensors format: eight bytes of header length, a JSON header with name, type, shape and place of each tensor, then the
 * numbers. It is what every other tool reads; text metadata goes under `__metadata__`.
 */
import { open, type FileHandle } from 'node:fs/promises';
import { CascadeError, internal } from '../errors.js';

type TensorValues = Float32Array | Int32Array | BigInt64Array;

export interface StoredTensor {
  readonly shape: readonly number[];
  readonly values: TensorValues;
}

/** A tensor that is made while it is written, some of it at a time. */
export interface StreamedTensor {
  readonly shape: readonly number[];
  readonly type: TypeName;
  chunks(): Iterable<TensorValues>;
}

export interface TensorFile<Tensor = StoredTensor> {
  readonly tensors: Readonly<Record<string, Tensor>>;
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
export async function writeSafetensors(
  path: string,
  { tensors, metadata }: TensorFile<StoredTensor | StreamedTensor>,
): Promise<void> {
  const names = Object.keys(tensors).toSorted();
  const header: Record<string, unknown> = {};
  if (Object.keys(metadata).length > 0) header.__metadata__ = metadata;
  let offset = 0;
  for (const name of names) {
    const tensor = tensors[name]!;
    const dtype = 'values' in tensor ? nameOf(tensor.values) : tensor.type;
    const end = offset + bytesOf(tensor, dtype);
    header[name] = { dtype, shape: tensor.shape, data_offsets: [offset, end] } satisfies HeaderEntry;
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
      const tensor = tensors[name]!;
      const chunks = 'values' in tensor ? [tensor.values] : tensor.chunks();
      let bytes = 0;
      for (const values of chunks) {
        await file.appendFile(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
        bytes += values.byteLength;
      }
      const [start, end] = (header[name] as HeaderEntry).data_offsets;
      if (bytes !== end - start) internal(`tensor ${name} has ${bytes} bytes where ${end - start} were said`);
    }
  } finally {
    await file.close();
  }
}

function bytesOf(tensor: StoredTensor | StreamedTensor, type: TypeName): number {
  if ('values' in tensor) return tensor.values.byteLength;
  return tensor.shape.reduce((product, size) => product * size, typeNames[type].BYTES_PER_ELEMENT);
}

/** The header of a file, which tensors can then be read by. */
export interface OpenedTensors {
  readonly names: readonly string[];
  readonly metadata: Readonly<Record<string, string>>;
  shapeOf(name: string): readonly number[];
  /** Byte at which the numbers of a tensor begin. */
  placeOf(name: string): number;
  read(name: string): Promise<TensorValues>;
}

export async function openSafetensors(path: string): Promise<OpenedTensors> {
  const { header, dataAt } = await withFile(path, (file) => readHeader(path, file));
  const metadata = (header.__metadata__ ?? {}) as Record<string, string>;
  const entryOf = (name: string) =>
    (header[name] as HeaderEntry | undefined) ?? internal(`${path} has no ${name}`);
  return {
    names: Object.keys(header).filter((name) => name !== '__metadata__'),
    metadata,
    shapeOf: (name) => entryOf(name).shape,
    placeOf: (name) => dataAt + entryOf(name).data_offsets[0],
    read: async (name) => {
      const { dtype, data_offsets } = entryOf(name);
      const [start, end] = data_offsets;
      const bytes = new Uint8Array(end - start);
      await withFile(path, (file) => readWhole(file, bytes, dataAt + start));
      return new typeNames[dtype](bytes.buffer);
    },
  };
}

export async function readSafetensors(path: string): Promise<TensorFile> {
  const file = await openSafetensors(path);
  const tensors: Record<string, StoredTensor> = {};
  for (const name of file.names) tensors[name] = { shape: file.shapeOf(name), values: await file.read(name) };
  return { tensors, metadata: file.metadata };
}

async function readHeader(path: string, file: FileHandle) {
  const damaged = (why: string) =>
    new CascadeError({
      code: 'run.damaged_weights',
      where: path,
      what: `This safetensors file cannot be read: ${why}.`,
      mend: 'Run the stage that wrote it again with --force.',
    });
  const { size } = await file.stat();
  if (size < 8) throw damaged('it is shorter than its header');
  const length = Buffer.alloc(8);
  await readWhole(file, length, 0);
  const headerLength = Number(length.readBigUInt64LE(0));
  const dataAt = 8 + headerLength;
  if (dataAt > size) throw damaged('its header is cut off');
  const text = Buffer.alloc(headerLength);
  await readWhole(file, text, 8);
  const header = JSON.parse(text.toString('utf8')) as Record<string, unknown>;
  for (const [name, entry] of Object.entries(header)) {
    if (name !== '__metadata__' && dataAt + (entry as HeaderEntry).data_offsets[1] > size)
      throw damaged(`tensor ${name} is cut off`);
  }
  return { header, dataAt };
}

/** Fills `bytes`; the file is as long as it needs to be. Some systems give at most 2 GiB at a time. */
async function readWhole(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const length = Math.min(bytes.length - done, 2 ** 30);
    const { bytesRead } = await file.read(bytes, done, length, position + done);
    if (bytesRead === 0) internal('a file became shorter while it was read');
    done += bytesRead;
  }
}

async function withFile<T>(path: string, work: (file: FileHandle) => Promise<T>): Promise<T> {
  const file = await open(path, 'r');
  try {
    return await work(file);
  } finally {
    await file.close();
  }
}
