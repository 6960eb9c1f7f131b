/** The settings as the code spells them: the same tree as the YAML, in camelCase, made by the one function that converts. */
import type { YamlConfig } from './schema.js';

type Camel<S extends string> = S extends `${infer Head}_${infer Tail}`
  ? `${Head}${Capitalize<Camel<Tail>>}`
  : S;

/** Records whose keys are the user's own words and stay as they are. */
type OwnWords = Record<string, string>;

type CamelKeys<T> = T extends readonly (infer Element)[]
  ? readonly CamelKeys<Element>[]
  : T extends object
    ? string extends keyof T
      ? T extends OwnWords
        ? Readonly<T>
        : never
      : { readonly [K in keyof T as K extends string ? Camel<K> : K]: CamelKeys<T[K]> }
    : T;

export type Config = CamelKeys<YamlConfig> & { readonly run: string };

export type LogsConfig = Config['logs'];
export type SamplesConfig = Config['samples'];
export type FeaturesConfig = Config['features'];
export type FeatureConfig = FeaturesConfig['user'][number];
export type TrainingConfig = Config['training'];
export type OptimizerConfig = TrainingConfig['optimizer'];
export type ScheduleConfig = TrainingConfig['schedule'];
export type TowersConfig = Config['towers'];
export type CodebookConfig = Config['codebook'];
export type AttentionTeacherConfig = Extract<Config['teacher'], { kind: 'attention' }>;
export type DinConfig = Extract<Config['teacher'], { kind: 'din' }>;
export type StudentConfig = Config['distill']['student'];
export type TarqConfig = Extract<StudentConfig, { kind: 'tarq' }>;
export type CodeAttentionConfig = Exclude<StudentConfig, TarqConfig>;

/** The one record whose keys are data: logs.<table>.columns. (A cross's columns are a list.) */
const keepsItsKeys = (parent: string) => parent === 'columns';

/** snake_case → camelCase, recursively; keys that are the user's own words are left alone. */
export function camelKeys<T>(value: T, parent = ''): CamelKeys<T> {
  // The cast is what this function is for: the type-level map above describes exactly this recursion.
  if (Array.isArray(value))
    return value.map((element) => camelKeys<unknown>(element, parent)) as CamelKeys<T>;
  if (value === null || typeof value !== 'object') return value as CamelKeys<T>;
  if (keepsItsKeys(parent)) return value as CamelKeys<T>;
  return Object.fromEntries(
    Object.entries(value).map(([key, child]) => [camel(key), camelKeys<unknown>(child, key)]),
  ) as CamelKeys<T>;
}

/** camelCase → snake_case: settings as files and messages spell them. */
export function snakeKeys(value: unknown, parent = ''): unknown {
  if (Array.isArray(value)) return value.map((element) => snakeKeys(element, parent));
  if (value === null || typeof value !== 'object') return value;
  if (keepsItsKeys(parent)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [snake(key), snakeKeys(child, key)]));
}

const snake = (key: string) => key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
const camel = (key: string) => key.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
