/** The items of a store on disk: of the blocks as the index has them, and of the records as their table has them. */
import { bytesEqual } from '../base/bytes.js';
import type { Id } from '../ring/identifier.js';
import type { KeyRange } from '../ring/key-range.js';
import { type BlockEntry, isHeld, isTold } from './block-entry.js';
import type { DiskParts } from './disk-open.js';
import type { CountedItem } from './fingerprints.js';
import { countedBlock, countedRecord } from './items.js';
import { type ListedKey, mergeKeys } from './sorted-ids.js';
import type { HeldFingerprint, KeyItem } from './store.js';

/** What an item is read from. */
export type ItemSources = Pick<DiskParts, 'index' | 'records' | 'totals'>;

/** As {@link Store.items}. */
export function itemsOf(sources: ItemSources, range: KeyRange, limit: number): readonly KeyItem[] {
  const blocks = new Map<Id, BlockEntry>();
  for (const { id, entry } of blocksOf(sources, range)) {
    if (blocks.size >= limit) break;
    blocks.set(id, entry);
  }
  const keys = mergeKeys([...blocks.keys()], sources.records.idsWithin(range, limit), limit);
  return keys.flatMap((key) => itemWith(key, countedOf(sources.records, key, blocks.get(key.id))) ?? []);
}

/** As {@link Store.itemOf}. */
export function itemOn({ index, records }: ItemSources, key: ListedKey): KeyItem | undefined {
  return itemWith(key, countedOf(records, key, index.get(key.id)));
}

/** As {@link Store.holdsItem}. Under the lock of its id. */
export async function holdsItem(parts: DiskParts, { id, kind, digest }: KeyItem): Promise<boolean> {
  const own = itemOn(parts, { id, kind });
  if (own === undefined || !bytesEqual(own.digest, digest)) return false;
  if (kind === 'record') return parts.records.hasFile(id);
  const entry = parts.index.get(id);
  return !isHeld(entry) || (await parts.blocks.stat(id))?.sizeBytes === entry.sizeBytes;
}

/** As {@link Store.fingerprint}. */
export function fingerprintOn(sources: ItemSources, range: KeyRange): HeldFingerprint {
  return sources.totals.fingerprints.of(range, (part) => countedIn(sources, part));
}

function* countedIn(sources: ItemSources, range: KeyRange): Generator<CountedItem> {
  for (const { id, entry } of blocksOf(sources, range)) {
    const counted = countedBlock(id, entry);
    if (counted !== undefined) yield counted;
  }
  for (const id of sources.records.idsWithin(range, Infinity)) {
    const counted = countedRecord(id, sources.records.entry(id));
    if (counted !== undefined) yield counted;
  }
}

/** @param block of this id */
function countedOf(
  records: ItemSources['records'],
  { id, kind }: ListedKey,
  block: BlockEntry | undefined,
): CountedItem | undefined {
  return kind === 'block' ? countedBlock(id, block) : countedRecord(id, records.entry(id));
}

function itemWith(key: ListedKey, counted: CountedItem | undefined): KeyItem | undefined {
  return counted && { ...key, digest: counted.digest };
}

function* blocksOf(
  { index }: ItemSources,
  { first, last }: KeyRange,
): Generator<{ id: Id; entry: BlockEntry }> {
  for (const { id, entry } of index.entries(first)) {
    if (id > last) return;
    if (isTold(entry)) yield { id, entry };
  }
}
