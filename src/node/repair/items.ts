/**
 * Items of a store as repair tells them apart. A block and a record may have the same id: whoever chooses the bytes of a
 * block can choose those that a record's id is made of. So what counts is kind and id.
 */
import { bytesEqual } from '../../base/bytes.js';
import type { KeyItem } from '../../store/store.js';

/** What tells keys apart. */
export function nameOf({ kind, id }: Pick<KeyItem, 'kind' | 'id'>): string {
  return `${kind} ${id}`;
}

/** Whether both are the same key with the same to be known of it. */
export function isSameItem(a: KeyItem | undefined, b: KeyItem | undefined): boolean {
  return (
    a !== undefined && b !== undefined && a.kind === b.kind && a.id === b.id && bytesEqual(a.digest, b.digest)
  );
}
