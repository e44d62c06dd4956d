/**
 * Identifiers: places on the ring, 256 bits.
 *
 * In memory an identifier is 64 lower-case hexadecimal digits. Strings of one length compare as numbers do, work as
 * keys of a Map, and are what people see in data paths and JSON; on the wire it is 32 bytes.
 */
import { sha256, toHex } from '../base/bytes.js';
import { binary, type Codec, mapped } from '../base/codec.js';
import { PeerStoreError } from '../base/errors.js';

declare const idBrand: unique symbol;

/** A place on the ring: 64 lower-case hexadecimal digits. */
export type Id = string & { readonly [idBrand]: true };

/** Bytes of an identifier on the wire. */
export const idBytes = 32;
/** Bits of an identifier. */
export const idBits = 8 * idBytes;

/**
 * An identifier from its printed form, either case.
 * @throws PeerStoreError USAGE when it is not 64 hexadecimal digits.
 */
export function parseId(text: string): Id {
  const lower = text.toLowerCase();
  if (!/^[0-9a-f]{64}$/.test(lower)) {
    throw new PeerStoreError('USAGE', `"${text.slice(0, 80)}" is not an identifier of 64 hexadecimal digits`);
  }
  return lower as Id;
}

/**
 * An identifier from its 32 bytes.
 * @throws PeerStoreError PROTOCOL when there are not 32.
 */
export function idFromBytes(bytes: Uint8Array): Id {
  if (bytes.length !== idBytes)
    throw new PeerStoreError('PROTOCOL', `an identifier has 32 bytes, not ${bytes.length}`);
  return toHex(bytes) as Id;
}

/** The 32 bytes of an identifier. */
export function idToBytes(id: Id): Uint8Array {
  return Buffer.from(id, 'hex');
}

/** SHA-256 over the parts, as an identifier. */
export function hashToId(...parts: readonly Uint8Array[]): Id {
  return toHex(sha256(...parts)) as Id;
}

/** An identifier as the number that it is. */
export function idToNumber(id: Id): bigint {
  return BigInt(`0x${id}`);
}

/** The identifier of a number, of its lowest 256 bits. */
export function idFromNumber(number: bigint): Id {
  return BigInt.asUintN(idBits, number).toString(16).padStart(64, '0') as Id;
}

/** The identifier 2^power steps clockwise: where the finger of that power begins. */
export function idPlusPowerOfTwo(id: Id, power: number): Id {
  return idFromNumber(idToNumber(id) + (1n << BigInt(power)));
}

/** How many bits the distance from one identifier to another has, clockwise: 0 for the same one, 256 for half a turn and more. */
export function distanceBits(from: Id, to: Id): number {
  const distance = BigInt.asUintN(idBits, idToNumber(to) - idToNumber(from));
  return distance === 0n ? 0 : distance.toString(2).length;
}

/** How far it is from one identifier to another, clockwise, in turns of the ring: 0 up to 1, to about 50 bits. */
export function turnsBetween(from: Id, to: Id): number {
  const turns = (fractionOf(to) - fractionOf(from)) / 2 ** fractionBits;
  return turns < 0 || (turns === 0 && to < from) ? turns + 1 : turns;
}

/** As many bits of an identifier as a number holds. */
const fractionBits = 52;

function fractionOf(id: Id): number {
  return parseInt(id.slice(0, fractionBits / 4), 16);
}

/** The first 12 digits: enough for a person to tell identifiers apart in a log. */
export function shortId(id: Id): string {
  return id.slice(0, 12);
}

/** An identifier as 32 bytes. */
export const idCodec: Codec<Id> = mapped(binary(idBytes), idFromBytes, idToBytes);
