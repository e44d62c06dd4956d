/**
 * Seals the chunks that refer to others: trees, lists, catalogs.
 *
 * They wait as drafts until there are enough of them, or until the writer flushes. Then the pack with the ends of files is
 * closed, so that everything they refer to has an id, except what is in the pack that they go into themselves. So a
 * tree of any depth costs no more packs than its bytes need, and reading directories reads packs that hold nothing
 * else.
 *
 * They are looked up by a name that says where everything is that they refer to (docs/format.md, "Names"). Found under
 * it, a tree is one whose every reference was confirmed in this run, as its children came before it.
 */
import { sha256, toHex } from '../base/bytes.js';
import { limits } from '../base/limits.js';
import type { Compressor } from './compress.js';
import { DraftReference, type Place, placeOf } from './draft.js';
import type { Packer } from './packer.js';
import { type DraftBytes, fillHoles } from './plaintext.js';
import type { ChunkIndex } from './ports.js';
import { chunkKey, type ChunkKind, sealChunk } from './seal.js';
import type { ArchiveSecrets } from './secrets.js';
import type { BlockStorage, Deferred } from './storage.js';

interface Waiting {
  readonly kind: ChunkKind;
  readonly draft: DraftBytes;
  readonly placed: Deferred<Place>;
}

export class MetadataChunks {
  readonly #secrets: ArchiveSecrets;
  readonly #compressor: Compressor;
  readonly #index: ChunkIndex;
  readonly #storage: BlockStorage;
  readonly #dataPacker: Packer;
  readonly #packer: Packer;
  /** Children before their parents: a parent is made of drafts that its children were given for. */
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  /** Plaintext that the open pack needs until it is closed. */
  #packPlainBytes = 0;
  #commits: Promise<void> = Promise.resolve();
  #isCommitDue = false;

  constructor(
    secrets: ArchiveSecrets,
    compressor: Compressor,
    index: ChunkIndex,
    storage: BlockStorage,
    packers: { readonly data: Packer; readonly metadata: Packer },
  ) {
    this.#secrets = secrets;
    this.#compressor = compressor;
    this.#index = index;
    this.#storage = storage;
    this.#dataPacker = packers.data;
    this.#packer = packers.metadata;
  }

  /**
   * Adds a chunk.
   * @param sizeBytes the content that hangs from it
   * @param cut decides where lists of such chunks are cut
   */
  add(kind: ChunkKind, draft: DraftBytes, sizeBytes: number, cut: number): DraftReference {
    const placed = this.#storage.promise<Place>();
    this.#waiting.push({ kind, draft, placed });
    this.#waitingBytes += draft.bytes.length;
    return new DraftReference(sizeBytes, cut, placed.promise);
  }

  /** Waits until what is waiting is within its bound. */
  async relieve(): Promise<void> {
    if (this.#waitingBytes > limits.archiveDraftBytes) await this.commit();
  }

  /** Seals all that is waiting. What refers to anything by then has been given its place. */
  commit(): Promise<void> {
    // One that has not begun takes all that is waiting then: a second would only close a pack that is not full.
    if (this.#isCommitDue) return this.#commits;
    this.#isCommitDue = true;
    this.#commits = this.#commits.then(() => this.#commit());
    this.#storage.track(this.#commits);
    return this.#commits;
  }

  /** Seals all that is waiting and closes the pack. */
  async flush(): Promise<void> {
    await this.commit();
    this.#closePack();
  }

  async #commit(): Promise<void> {
    this.#isCommitDue = false;
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#dataPacker.close();
    await this.#dataPacker.admitted;
    for (const { kind, draft, placed } of waiting) {
      const place = await this.#place(kind, draft);
      placed.resolve(place);
      // The next draft may refer to this one.
      await placed.promise;
      await this.#packer.admitted;
    }
  }

  async #place(kind: ChunkKind, draft: DraftBytes): Promise<Place> {
    for (;;) {
      const refersHere = fillHoles(draft, this.#packer.pack);
      const hash = sha256(draft.bytes);
      const key = chunkKey(this.#secrets, kind, hash);
      const name = toHex(key);
      const known = this.#packer.find(name) ?? (refersHere ? undefined : await this.#stored(name));
      if (known !== undefined) return known;
      const sealed = sealChunk(this.#compressor, key, draft.bytes, hash);
      const hasRoom =
        this.#packer.fits(sealed.length) &&
        this.#packPlainBytes + draft.bytes.length <= limits.archivePackPlainBytes;
      if (!hasRoom) {
        this.#closePack();
        // What was "this block" is another one now.
        if (refersHere) continue;
      }
      if (!refersHere) return this.#packer.add(key, sealed, nameIs(name));
      this.#packPlainBytes += draft.bytes.length;
      return this.#packer.add(key, sealed, () => this.#nameOfClosed(kind, draft));
    }
  }

  async #stored(name: string): Promise<Place | undefined> {
    const location = this.#index.get(name);
    if (location === undefined || !(await this.#storage.isStored(location.block))) return undefined;
    return placeOf(location);
  }

  /** The name of a chunk that refers into its own pack, now that the pack has an id. */
  #nameOfClosed(kind: ChunkKind, draft: DraftBytes): string {
    fillHoles(draft, undefined);
    return toHex(chunkKey(this.#secrets, kind, sha256(draft.bytes)));
  }

  #closePack(): void {
    this.#packer.close();
    this.#packPlainBytes = 0;
  }
}

/** Made here, so that the function holds the name and not, with the scope it is needed in, the chunk's plaintext. */
function nameIs(name: string): () => string {
  return () => name;
}
