/** Makes inputs out of others. */
import type { Random } from '../../src/base/random.js';

/** The longest input: limits of count and size are crossed by what is claimed, not by what is there. */
const longestBytes = 16 * 1024;
const mostChanges = 4;
/** Bytes that begin something in msgpack, end a range of theirs, or mean something in DER. */
const tellingBytes = [
  0x00, 0x01, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7, 0xc9,
  0xca, 0xcb, 0xcc, 0xcf, 0xd0, 0xd3, 0xd4, 0xd8, 0xd9, 0xdb, 0xdc, 0xdd, 0xde, 0xdf, 0xe0, 0xff, 0x30, 0x04,
];
const tellingNumbers = [0, 1, 0x7f, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff];

type Change = (bytes: Buffer, random: Random, pool: readonly Uint8Array[]) => Buffer;

const changes: readonly Change[] = [
  // A bit.
  (bytes, random) => {
    if (bytes.length === 0) return bytes;
    const at = random.below(bytes.length);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
    return bytes;
  },
  // A byte, by one that means something, or by any.
  (bytes, random) => {
    if (bytes.length === 0) return bytes;
    bytes[random.below(bytes.length)] = tellingByte(random);
    return bytes;
  },
  // A number, as lengths and counts are written.
  (bytes, random) => {
    const width = [1, 2, 4][random.below(3)] ?? 1;
    if (bytes.length < width) return bytes;
    const number = tellingNumbers[random.below(tellingNumbers.length)] ?? 0;
    bytes.writeUIntBE(number % 2 ** (8 * width), random.below(bytes.length - width + 1), width);
    return bytes;
  },
  // The end is missing.
  (bytes, random) => bytes.subarray(0, random.below(bytes.length + 1)),
  // A piece is missing.
  (bytes, random) => {
    const [from, to] = piece(bytes, random);
    return Buffer.concat([bytes.subarray(0, from), bytes.subarray(to)]);
  },
  // A piece is there twice.
  (bytes, random) => {
    const [from, to] = piece(bytes, random);
    return Buffer.concat([bytes.subarray(0, to), bytes.subarray(from)]);
  },
  // Something is put in.
  (bytes, random) => {
    const at = random.below(bytes.length + 1);
    const what = Buffer.alloc(1 + random.below(8), tellingByte(random));
    return Buffer.concat([bytes.subarray(0, at), what, bytes.subarray(at)]);
  },
  // It goes on like another one.
  (bytes, random, pool) => {
    const other = Buffer.from(pool[random.below(pool.length)] ?? bytes);
    return Buffer.concat([
      bytes.subarray(0, random.below(bytes.length + 1)),
      other.subarray(piece(other, random)[0]),
    ]);
  },
];

/** An input made of one of the pool by a few changes. */
export function mutated(pool: readonly Uint8Array[], random: Random): Uint8Array {
  let bytes: Buffer = Buffer.from(pool[random.below(pool.length)] ?? []);
  for (let left = 1 + random.below(mostChanges); left > 0; left -= 1) {
    const change = changes[random.below(changes.length)];
    if (change !== undefined) bytes = change(bytes, random, pool);
  }
  return new Uint8Array(bytes.subarray(0, longestBytes));
}

function tellingByte(random: Random): number {
  return random.below(2) === 0 ? random.below(256) : (tellingBytes[random.below(tellingBytes.length)] ?? 0);
}

function piece(bytes: Uint8Array, random: Random): readonly [number, number] {
  const from = random.below(bytes.length + 1);
  return [from, from + random.below(bytes.length - from + 1)];
}
