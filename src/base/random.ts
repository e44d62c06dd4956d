/** Chance as an argument: a seed replays a run. */
import { randomBytes, randomInt } from 'node:crypto';

/** The one source of chance. */
export interface Random {
  /** `length` random bytes. Fit for keys only when the source is {@link systemRandom}. */
  bytes(length: number): Uint8Array;
  /** A whole number from 0 to `limit - 1`; `limit` is from 1 to 2^32. */
  below(limit: number): number;
}

/** The machine's cryptographic generator. */
export const systemRandom: Random = {
  bytes: (length) => randomBytes(length),
  below: (limit) => randomInt(limit),
};

/**
 * A reproducible generator for tests and simulations: never for keys. The algorithm is sfc32 (Chris Doty-Humphrey,
 * PractRand), a small fast chaotic generator with 128 bits of state.
 */
export function seededRandom(seed: number): Random {
  let a = 0;
  let b = (seed >>> 0) ^ 0x9e3779b9;
  let c = Math.floor(seed / 0x1_0000_0000) >>> 0;
  let counter = 1;
  const next = (): number => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return sum >>> 0;
  };
  for (let round = 0; round < 16; round += 1) next();
  return {
    bytes: (length) => {
      const out = new Uint8Array(length);
      for (let at = 0; at < length; at += 1) out[at] = next() & 0xff;
      return out;
    },
    below: (limit) => Math.floor((next() / 0x1_0000_0000) * limit),
  };
}

/** A fraction from 0 up to, but not, 1. */
export function randomFraction(random: Random): number {
  return random.below(0x1_0000_0000) / 0x1_0000_0000;
}

/** `value`, more or less: uniform within `share` of it on both sides (0.5 gives half to one and a half times). */
export function jittered(random: Random, value: number, share: number): number {
  return value * (1 - share + 2 * share * randomFraction(random));
}

/** The same items in random order (Fisher and Yates). */
export function shuffled<T>(items: readonly T[], random: Random): T[] {
  const list = [...items];
  for (let at = list.length - 1; at > 0; at -= 1) {
    const other = random.below(at + 1);
    [list[at], list[other]] = [list[other] as T, list[at] as T];
  }
  return list;
}
