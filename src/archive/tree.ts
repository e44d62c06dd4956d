/**
 * Entries of directories as bytes (docs/format.md, "Trees").
 *
 * What a tree may say is checked in both directions by the same rules. A name is one component and nothing that a file
 * system reads as more: here begins the promise that nothing from the ring is ever written outside of a restore's target.
 */
import { asBuffer, compareBytes } from '../base/bytes.js';
import {
  binary,
  int64,
  integer,
  oneOf,
  optional,
  packValue,
  struct,
  text,
  type ValueOf,
} from '../base/codec.js';
import { PeerStoreError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { Id } from '../ring/identifier.js';
import type { DraftEntry } from './draft.js';
import type { Entry, EntryCommon } from './entry.js';
import { unpackSealed } from './parse.js';
import { type DraftBytes, draftContent, joinDrafts } from './plaintext.js';
import { contentSize, decodeContent } from './reference.js';

const uint32 = integer(0, 0xffff_ffff);

const attributesCodec = struct({
  type: oneOf('file', 'directory', 'symlink'),
  name: binary(1, limits.entryNameBytes),
  mode: integer(0, 0o7777),
  uid: uint32,
  gid: uint32,
  mtimeNs: int64,
  linkGroup: optional(text(limits.linkGroupBytes)),
  target: optional(binary(1, limits.recordedPathBytes)),
});
type Attributes = ValueOf<typeof attributesCodec>;

/** Bytes in front of an entry's attributes: their length. */
const headBytes = 2;
const noContent = { depth: 0, references: [] };

/** The rule that a name breaks, or undefined. */
function brokenByName(name: Uint8Array): string | undefined {
  if (name.length === 0) return 'is empty';
  if (name.length > limits.entryNameBytes) return `has more than ${limits.entryNameBytes} bytes`;
  if (name.includes(0x2f)) return 'contains a "/"';
  if (name.includes(0)) return 'contains a NUL byte';
  if (name[0] === 0x2e && (name.length === 1 || (name.length === 2 && name[1] === 0x2e)))
    return 'is "." or ".."';
  return undefined;
}

/**
 * An entry as the record of a tree.
 * @throws PeerStoreError USAGE when it breaks a rule of trees, naming it.
 */
export function encodeEntry(entry: DraftEntry): DraftBytes {
  const refuse = (rule: string): PeerStoreError =>
    new PeerStoreError('USAGE', `cannot store ${printable(entry.name)}: ${rule}`);
  const broken = brokenByName(entry.name);
  if (broken !== undefined) throw refuse(`its name ${broken}`);
  if (entry.type === 'file' && contentSize(entry.content) !== entry.sizeBytes) {
    throw refuse(
      `its size is given as ${entry.sizeBytes}, and its content has ${contentSize(entry.content)} bytes`,
    );
  }
  const { type, name, mode, uid, gid, mtimeNs } = entry;
  const attributes: Attributes = {
    ...{ type, name, mode, uid, gid, mtimeNs },
    ...(entry.type === 'file' && entry.linkGroup !== undefined ? { linkGroup: entry.linkGroup } : {}),
    ...(entry.type === 'symlink' ? { target: entry.target } : {}),
  };
  try {
    attributesCodec.decode(attributesCodec.encode(attributes), 'entry');
  } catch (error) {
    throw refuse(error instanceof Error ? error.message : String(error));
  }
  const packed = packValue(attributesCodec, attributes);
  const head = Buffer.alloc(headBytes);
  head.writeUInt16BE(packed.length);
  const content = draftContent(entry.type === 'symlink' ? noContent : entry.content);
  return joinDrafts({ bytes: Buffer.concat([head, packed]), holes: [] }, content);
}

/**
 * The entry in a record of a tree.
 * @param home the block that the tree's chunk came from
 * @throws PeerStoreError DAMAGED when it breaks a rule.
 */
export function decodeEntry(record: Uint8Array, home: Id): Entry {
  const attributesEnd = record.length < headBytes ? Infinity : headBytes + asBuffer(record).readUInt16BE(0);
  if (attributesEnd > record.length) throw new PeerStoreError('DAMAGED', 'an entry of a tree is cut short');
  const attributes = unpackSealed(
    attributesCodec,
    record.subarray(headBytes, attributesEnd),
    'tree entry',
    home,
  );
  const content = decodeContent(record.subarray(attributesEnd), home);
  const { type, mode, uid, gid, mtimeNs, linkGroup, target } = attributes;
  const name = Uint8Array.from(attributes.name);
  const damaged = (rule: string): PeerStoreError =>
    new PeerStoreError(
      'DAMAGED',
      `a tree in block ${home} breaks a rule: the entry ${printable(name)} ${rule}`,
    );
  const broken = brokenByName(name);
  if (broken !== undefined) throw damaged(broken);
  if ((target !== undefined) !== (type === 'symlink')) throw damaged('has a target, or lacks it');
  if (linkGroup !== undefined && type !== 'file') throw damaged('is no file and has a link group');
  const common: EntryCommon = { name, mode, uid, gid, mtimeNs };
  switch (type) {
    case 'file': {
      const file = { ...common, type, sizeBytes: contentSize(content), content };
      return linkGroup === undefined ? file : { ...file, linkGroup };
    }
    case 'directory':
      return { ...common, type, content };
    case 'symlink':
      if (target === undefined || content.references.length > 0)
        throw damaged('is a symbolic link with content');
      if (target.includes(0)) throw damaged('points to a name with a NUL byte');
      return { ...common, type, target: Uint8Array.from(target) };
  }
}

/** Whether a name may follow another one in a tree: strictly greater, byte by byte. */
export function mayFollow(name: Uint8Array, previous: Uint8Array | undefined): boolean {
  return previous === undefined || compareBytes(previous, name) < 0;
}

/** A name for a message: short, and without control characters. */
export function printable(name: Uint8Array): string {
  return JSON.stringify(asBuffer(name.subarray(0, 80)).toString('utf8'));
}
