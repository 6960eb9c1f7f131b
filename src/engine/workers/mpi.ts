/**
 * Workers as processes of one MPI job. MPI is called by FFI (koffi) at its standard binary interface (MPI 5.0, chapter 20: library
 * `libmpi_abi`, handles with fixed values), so that any implementation of it will do: MPICH from 5.0, Intel MPI from 2021.19. None of
 * it is loaded where one process trains alone.
 */
import { closeSync, existsSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { CascadeError, internal } from '../../errors.js';
import { GrowingArrays } from './growingArrays.js';
import type { Workers } from './workers.js';

export interface Mpi {
  /** Starts the processes of a job. */
  readonly launcher: string;
  readonly library: string;
}

/**
 * The environment of a job. UCX, MPICH's transport, is told to leave memory alone: else it rewrites mmap and munmap while threads of V8 run
 * in them, and one start in fifty crashed.
 */
export const jobEnvironment = () => ({ UCX_MEM_EVENTS: 'no', ...process.env });

/** Where scripts/install-mpi puts it. */
const installed = fileURLToPath(new URL('../../../node_modules/.mpi/bin', import.meta.url));

/** The first MPI with the standard interface: by the launchers on the path, each with the library beside it. */
export function findMpi(path = process.env.PATH ?? '', last = installed): Mpi | null {
  for (const folder of [...path.split(delimiter), last]) {
    const launcher = join(folder, 'mpiexec');
    const library = join(dirname(folder), 'lib', 'libmpi_abi.so.1');
    if (existsSync(launcher) && existsSync(library)) return { launcher, library };
  }
  return null;
}

export function requireMpi(found = findMpi()): Mpi {
  if (found) return found;
  throw new CascadeError({
    code: 'workers.no_mpi',
    subject: 'training.workers',
    what: 'Several workers talk by MPI, and no MPI with the standard binary interface (libmpi_abi.so.1) is here.',
    mend: 'scripts/install-mpi installs MPICH (13 MB); or put the `mpiexec` of MPICH >= 5.0 or Intel MPI >= 2021.19 on the PATH; or set training.workers to 1.',
  });
}

/** A worker that is a process. Beside training the first says what is to be done, and the others wait for it. */
export interface WorkerProcess extends Workers {
  /** Says a number to all others. */
  say(word: number): void;
  /** The next number that the first says; waiting for it costs the processor nothing. */
  hear(): Promise<number>;
  /** Ends this process's part in the job; every worker calls it, last of all. */
  leave(): void;
}

/** Values that the standard binary interface gives to handles (MPI 5.0, appendix A). */
const world = 0x101;
const sum = 0x21;
const float32 = 0x210;
const int32 = 0x250;
const inPlace = 1;
const ignored = 0;

const wordTag = 1;
const hearEveryMs = 20;

type Numbers = Float32Array | Int32Array;

/** Joins the job that this process was started in; its size must be the one asked for. */
export async function joinWorkers({ library, launcher }: Mpi, size: number): Promise<WorkerProcess> {
  const mpi = await load(library);
  mpi.init(ignored, ignored);
  const abort = (code: number) => {
    closeSync(2); // why has been printed; MPICH would add a line of its own
    mpi.abort(world, code);
  };
  process.once('exit', abort); // whoever ends before its time ends all: others would wait for it, and launchers do not always notice
  const rank = answer((into) => mpi.rank(world, into));
  const started = answer((into) => mpi.size(world, into));
  if (started !== size) internal(`${launcher} started ${started} workers of ${size}`);
  const arrays = new GrowingArrays();
  const others = Array.from({ length: size }, (_, other) => other).filter((other) => other !== rank);
  return {
    rank,
    size,
    sum(values) {
      mpi.allReduce(inPlace, values, values.length, float32, sum, world);
      return Promise.resolve();
    },
    gather: (own, lengths = lengthsOf(mpi, size, own)) => Promise.resolve(gather(mpi, own, lengths, arrays)),
    meet() {
      mpi.barrier(world);
      return Promise.resolve();
    },
    say(word) {
      for (const other of others) mpi.send(Int32Array.of(word), 1, int32, other, wordTag, world);
    },
    async hear() {
      // Asked now and then: MPI itself waits at full speed, and the first may be busy with other things for long.
      while (answer((into) => mpi.probe(0, wordTag, world, into, ignored)) === 0)
        await setTimeout(hearEveryMs);
      return answer((into) => mpi.receive(into, 1, int32, 0, wordTag, world, ignored));
    },
    leave() {
      process.off('exit', abort);
      mpi.finalize();
    },
  };
}

function lengthsOf(mpi: Library, size: number, own: Numbers): Int32Array {
  const lengths = new Int32Array(size);
  mpi.allGather(Int32Array.of(own.length), 1, int32, lengths, 1, int32, world);
  return lengths;
}

function gather<T extends Numbers>(mpi: Library, own: T, lengths: Int32Array, arrays: GrowingArrays): T[] {
  const starts = new Int32Array(lengths.length);
  for (let i = 1; i < lengths.length; i++) starts[i] = starts[i - 1]! + lengths[i - 1]!;
  const total = starts.at(-1)! + lengths.at(-1)!;
  const isFloat = own instanceof Float32Array;
  const type = isFloat ? float32 : int32;
  const { buffer } = arrays.of('gathered', total);
  const all = new (isFloat ? Float32Array : Int32Array)(buffer, 0, total) as T; // of the kind of `own`
  mpi.allGatherV(own, own.length, type, all, lengths, starts, type, world);
  return Array.from(lengths, (length, i) => all.subarray(starts[i], starts[i]! + length) as T);
}

function answer(ask: (into: Int32Array) => unknown): number {
  const into = new Int32Array(1);
  ask(into);
  return into[0]!;
}

type Library = Awaited<ReturnType<typeof load>>;

/** The functions of MPI that are used; an error in any of them ends the whole job, which is MPI's own default. */
async function load(path: string) {
  const { default: koffi } = await import('koffi');
  const library = koffi.load(path);
  return {
    init: library.func('int MPI_Init(intptr_t, intptr_t)'),
    finalize: library.func('int MPI_Finalize()'),
    abort: library.func('int MPI_Abort(intptr_t, int)'),
    rank: library.func('int MPI_Comm_rank(intptr_t, void *)'),
    size: library.func('int MPI_Comm_size(intptr_t, void *)'),
    barrier: library.func('int MPI_Barrier(intptr_t)'),
    allReduce: library.func('int MPI_Allreduce(intptr_t, void *, int, intptr_t, intptr_t, intptr_t)'),
    allGather: library.func('int MPI_Allgather(void *, int, intptr_t, void *, int, intptr_t, intptr_t)'),
    allGatherV: library.func(
      'int MPI_Allgatherv(void *, int, intptr_t, void *, void *, void *, intptr_t, intptr_t)',
    ),
    send: library.func('int MPI_Send(void *, int, intptr_t, int, int, intptr_t)'),
    probe: library.func('int MPI_Iprobe(int, int, intptr_t, void *, intptr_t)'),
    receive: library.func('int MPI_Recv(void *, int, intptr_t, int, int, intptr_t, intptr_t)'),
  };
}
