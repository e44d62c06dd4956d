/**
 * Compression: zstd (RFC 8878), from node:zlib where Node has it and from WebAssembly elsewhere. The format is the same;
 * the bytes of two versions of the compressor need not be.
 */
import * as zlib from 'node:zlib';

import { messageOf, PeerStoreError } from '../base/errors.js';

/** One frame in, one frame out. */
export interface Compressor {
  compress(bytes: Uint8Array): Uint8Array;
  /** @param sizeBytes what the frame says that it holds: the most that is allocated */
  decompress(frame: Uint8Array, sizeBytes: number): Uint8Array;
}

/** zstd's own default: what restic and Borg use as well. */
const level = 3;
/** Saving less than one part in this many is not worth the reader's time. */
const worthwhileShare = 32;
/** Larger inputs are tried on a sample first: incompressible ones then cost a few percent of a compression. */
const sampleFromBytes = 64 * 1024;
const sampleSlices = 8;
const sampleSliceBytes = 4 * 1024;

/** What node:zlib has from Node 22.15 on. */
interface NodeZstd {
  zstdCompressSync(bytes: Uint8Array, options: object): Uint8Array;
  zstdDecompressSync(bytes: Uint8Array, options: object): Uint8Array;
  constants: { ZSTD_c_compressionLevel: number };
}

let loaded: Promise<Compressor> | undefined;

/** The compressor of this machine. */
export function loadCompressor(): Promise<Compressor> {
  loaded ??= 'zstdCompressSync' in zlib ? Promise.resolve(nodeZstd(zlib as unknown as NodeZstd)) : wasmZstd();
  return loaded;
}

function nodeZstd(node: NodeZstd): Compressor {
  const params = { [node.constants.ZSTD_c_compressionLevel]: level };
  return {
    compress: (bytes) => node.zstdCompressSync(bytes, { params, pledgedSrcSize: bytes.length }),
    decompress: (frame, sizeBytes) =>
      node.zstdDecompressSync(frame, { maxOutputLength: Math.max(1, sizeBytes) }),
  };
}

async function wasmZstd(): Promise<Compressor> {
  const zstd = await import('@bokuweb/zstd-wasm');
  await zstd.init();
  // The one-shot call makes and clears a context of more than a megabyte each time: for a sample two thirds of its time.
  // A context that is used again gives the same bytes.
  const context = zstd.createCCtx();
  const noDictionary = new Uint8Array(0);
  return {
    compress: (bytes) => zstd.compressUsingDict(context, bytes, noDictionary, level),
    // It allocates what the frame's header says: openFrame has read that and found it small enough.
    decompress: (frame) => zstd.decompress(frame),
  };
}

/** The bytes as one zstd frame, or undefined when that would save too little. Equal bytes give equal answers. */
export function compressIfWorthwhile(compressor: Compressor, bytes: Uint8Array): Uint8Array | undefined {
  if (bytes.length >= sampleFromBytes) {
    const sample = sampleOf(bytes);
    if (!isWorthwhile(compressor.compress(sample).length, sample.length)) return undefined;
  }
  const frame = compressor.compress(bytes);
  return isWorthwhile(frame.length, bytes.length) && frameContentSize(frame) === bytes.length
    ? frame
    : undefined;
}

function isWorthwhile(compressedBytes: number, plainBytes: number): boolean {
  return plainBytes - compressedBytes > plainBytes / worthwhileShare;
}

function sampleOf(bytes: Uint8Array): Uint8Array {
  const sample = new Uint8Array(sampleSlices * sampleSliceBytes);
  const step = Math.floor((bytes.length - sampleSliceBytes) / (sampleSlices - 1));
  for (let slice = 0; slice < sampleSlices; slice += 1) {
    sample.set(bytes.subarray(slice * step, slice * step + sampleSliceBytes), slice * sampleSliceBytes);
  }
  return sample;
}

/**
 * What a frame holds. Its size is read and bounded before anything is allocated for it.
 * @throws PeerStoreError DAMAGED when it is no frame, does not say its size, holds more than `maxBytes`, or lies.
 */
export function openFrame(compressor: Compressor, frame: Uint8Array, maxBytes: number): Uint8Array {
  const sizeBytes = frameContentSize(frame);
  if (sizeBytes === undefined) {
    throw new PeerStoreError('DAMAGED', 'a compressed chunk is not a zstd frame that states its size');
  }
  if (sizeBytes > maxBytes) {
    throw new PeerStoreError('DAMAGED', `a chunk claims to hold ${sizeBytes} bytes; ${maxBytes} are allowed`);
  }
  let bytes: Uint8Array;
  try {
    bytes = compressor.decompress(frame, sizeBytes);
  } catch (error) {
    throw new PeerStoreError('DAMAGED', `a chunk does not decompress: ${messageOf(error)}`, { cause: error });
  }
  if (bytes.length !== sizeBytes) {
    throw new PeerStoreError(
      'DAMAGED',
      `a chunk claims to hold ${sizeBytes} bytes and holds ${bytes.length}`,
    );
  }
  return bytes;
}

/** The Frame_Content_Size of a zstd frame's header (RFC 8878, 3.1.1.1), or undefined when it has none. */
export function frameContentSize(frame: Uint8Array): number | undefined {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  if (frame.length < 5 || view.getUint32(0, true) !== 0xfd2fb528) return undefined;
  const descriptor = view.getUint8(4);
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const at = 5 + (isSingleSegment ? 0 : 1) + ((1 << (descriptor & 3)) >> 1);
  const sizeFlag = descriptor >> 6;
  const fieldBytes = sizeFlag === 0 ? (isSingleSegment ? 1 : 0) : 1 << sizeFlag;
  if (fieldBytes === 0 || frame.length < at + fieldBytes) return undefined;
  switch (fieldBytes) {
    case 1:
      return view.getUint8(at);
    case 2:
      return view.getUint16(at, true) + 256;
    case 4:
      return view.getUint32(at, true);
    default:
      return Number(view.getBigUint64(at, true));
  }
}
