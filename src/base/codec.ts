/**
 * Codecs: the shape of a value that travels or is kept, in both directions.
 *
 * A codec turns a value into what msgpack can hold, and what came out of msgpack back into the value, checking every
 * part: bytes from another machine or from a disk are never trusted to have a shape. Every list, text and byte string
 * has a bound. Unknown fields of a struct are ignored, so that a later version may add some.
 */
import { Packr } from 'msgpackr';

import { messageOf, PeerStoreError } from './errors.js';

/** Both directions of one shape. */
export interface Codec<T> {
  /** What msgpack holds for the value. */
  encode(value: T): unknown;
  /**
   * The value that msgpack held.
   * @param path where it stands, for the message: `hello.ids[3]`
   * @throws PeerStoreError PROTOCOL when it has another shape or crosses a bound.
   */
  decode(raw: unknown, path: string): T;
}

/** The value that a codec is for. */
export type ValueOf<C> = C extends Codec<infer T> ? T : never;

const packr = new Packr({
  useRecords: false,
  variableMapSize: true,
  int64AsType: 'bigint',
  moreTypes: false,
});

/** A value as msgpack bytes. */
export function packValue<T>(codec: Codec<T>, value: T): Uint8Array {
  return packr.pack(codec.encode(value));
}

/**
 * The value in msgpack bytes. Byte strings in it share the memory of `bytes`.
 * @param what names the bytes in a message: `frame header`
 * @throws PeerStoreError PROTOCOL when they are not msgpack, too long, too short, or of another shape.
 */
export function unpackValue<T>(codec: Codec<T>, bytes: Uint8Array, what: string): T {
  let raw: unknown;
  try {
    raw = packr.unpack(bytes);
  } catch (error) {
    throw new PeerStoreError('PROTOCOL', `the ${what} is not valid msgpack: ${messageOf(error)}`);
  }
  return codec.decode(raw, what);
}

function wrong(path: string, expected: string): PeerStoreError {
  return new PeerStoreError('PROTOCOL', `${path} is not ${expected}`);
}

/** A whole number from `min` to `max`, both safe integers. */
export function integer(min: number, max: number): Codec<number> {
  return {
    // Beyond 32 bits msgpackr would write a number as a float; as a bigint it becomes a proper 64-bit integer.
    encode: (value) => (Math.abs(value) > 0x7fffffff ? BigInt(value) : value),
    decode: (raw, path) => {
      const value = typeof raw === 'bigint' ? Number(raw) : raw;
      if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < min || value > max) {
        throw wrong(path, `a whole number from ${min} to ${max}`);
      }
      return value;
    },
  };
}

/** A whole number of 64 bits with a sign. */
export const int64: Codec<bigint> = {
  encode: (value) =>
    value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER)
      ? Number(value)
      : value,
  decode: (raw, path) => {
    if (typeof raw === 'bigint' && BigInt.asIntN(64, raw) === raw) return raw;
    if (typeof raw === 'number' && Number.isSafeInteger(raw)) return BigInt(raw);
    throw wrong(path, 'a 64-bit whole number');
  },
};

/** True or false. */
export const boolean: Codec<boolean> = {
  encode: (value) => value,
  decode: (raw, path) => {
    if (typeof raw !== 'boolean') throw wrong(path, 'true or false');
    return raw;
  },
};

/** A text of at most `maxBytes` bytes of UTF-8. */
export function text(maxBytes: number): Codec<string> {
  return {
    encode: (value) => value,
    decode: (raw, path) => {
      if (typeof raw !== 'string' || Buffer.byteLength(raw) > maxBytes) {
        throw wrong(path, `a text of at most ${maxBytes} bytes`);
      }
      return raw;
    },
  };
}

/** A text that is shown to people: without control characters, which a terminal would obey. */
export function printable(maxBytes: number): Codec<string> {
  return mapped(
    text(maxBytes),
    (value, path) => {
      if (/\p{Cc}/u.test(value)) throw wrong(path, 'free of control characters');
      return value;
    },
    (value) => value,
  );
}

/** One of a few texts. */
export function oneOf<const T extends string>(...values: readonly T[]): Codec<T> {
  return {
    encode: (value) => value,
    decode: (raw, path) => {
      const found = values.find((value) => value === raw);
      if (found === undefined) throw wrong(path, `one of ${values.join(', ')}`);
      return found;
    },
  };
}

/** Bytes: exactly `min` when `max` is left out, otherwise from `min` to `max`. */
export function binary(min: number, max: number = min): Codec<Uint8Array> {
  const expected = min === max ? `${min} bytes` : `bytes, from ${min} to ${max}`;
  return {
    encode: (value) => value,
    decode: (raw, path) => {
      if (!(raw instanceof Uint8Array) || raw.length < min || raw.length > max) throw wrong(path, expected);
      return raw;
    },
  };
}

/** At most `max` of something. */
export function list<T>(item: Codec<T>, max: number): Codec<readonly T[]> {
  return {
    encode: (values) => values.map((value) => item.encode(value)),
    decode: (raw, path) => {
      if (!Array.isArray(raw) || raw.length > max) throw wrong(path, `a list of at most ${max}`);
      return raw.map((value: unknown, at) => item.decode(value, `${path}[${at}]`));
    },
  };
}

/** Something, or nothing. */
export function nullable<T>(item: Codec<T>): Codec<T | null> {
  return {
    encode: (value) => (value === null ? null : item.encode(value)),
    decode: (raw, path) => (raw === null || raw === undefined ? null : item.decode(raw, path)),
  };
}

/** Marks a field of a struct that may be absent. */
export interface OptionalCodec<T> extends Codec<T | undefined> {
  readonly optional: true;
}

/** A field that may be absent. Only inside {@link struct}. */
export function optional<T>(item: Codec<T>): OptionalCodec<T> {
  return {
    optional: true,
    encode: (value) => (value === undefined ? undefined : item.encode(value)),
    decode: (raw, path) => (raw === undefined || raw === null ? undefined : item.decode(raw, path)),
  };
}

type Fields = Readonly<Record<string, Codec<never> | OptionalCodec<never>>>;
type OptionalKeys<F> = { [K in keyof F]: F[K] extends OptionalCodec<unknown> ? K : never }[keyof F];
type StructOf<F> = { readonly [K in Exclude<keyof F, OptionalKeys<F>>]: ValueOf<F[K]> } & {
  readonly [K in OptionalKeys<F>]?: Exclude<ValueOf<F[K]>, undefined>;
};

/** A map with these fields. Absent optional fields are left out of the bytes. */
export function struct<F extends { readonly [K in keyof F]: Codec<never> | Codec<unknown> }>(
  fields: F,
): Codec<StructOf<F>> {
  const entries = Object.entries(fields as unknown as Fields) as [string, Codec<unknown>][];
  return {
    encode: (value) => {
      const out: Record<string, unknown> = {};
      for (const [key, field] of entries) {
        const encoded = field.encode((value as Record<string, unknown>)[key]);
        if (encoded !== undefined) out[key] = encoded;
      }
      return out;
    },
    decode: (raw, path) => {
      if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) throw wrong(path, 'a map');
      const out: Record<string, unknown> = {};
      for (const [key, field] of entries) {
        const value = field.decode((raw as Record<string, unknown>)[key], `${path}.${key}`);
        if (value !== undefined) out[key] = value;
      }
      return out as StructOf<F>;
    },
  };
}

/** A list with a fixed meaning for each place: smaller than a struct, for what is kept by the million. */
export function tuple<T extends readonly unknown[]>(
  ...items: { readonly [K in keyof T]: Codec<T[K]> }
): Codec<T> {
  const codecs = items as readonly Codec<unknown>[];
  return {
    encode: (values) => codecs.map((item, at) => item.encode(values[at])),
    decode: (raw, path) => {
      if (!Array.isArray(raw) || raw.length < codecs.length) throw wrong(path, `a list of ${codecs.length}`);
      return codecs.map((item, at) => item.decode(raw[at], `${path}[${at}]`)) as unknown as T;
    },
  };
}

/** The same shape, seen as another type: `outward` on the way in, `inward` on the way out. */
export function mapped<A, B>(
  inner: Codec<A>,
  outward: (value: A, path: string) => B,
  inward: (value: B) => A,
): Codec<B> {
  return {
    encode: (value) => inner.encode(inward(value)),
    decode: (raw, path) => outward(inner.decode(raw, path), path),
  };
}
