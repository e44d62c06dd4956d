/**
 * Builds a content from the references to its chunks: sixteen or fewer as they are, more in lists, and lists of lists,
 * until sixteen or fewer are left. A list ends where its last chunk's cut value says so, so that an insertion changes
 * the lists around it and no others.
 */
import { limits } from '../base/limits.js';
import { Draft, type DraftReference } from './draft.js';
import { draftList, mix32 } from './plaintext.js';
import type { MetadataChunks } from './metadata.js';
import { contentSize } from './reference.js';

export class ContentBuilder {
  readonly #metadata: MetadataChunks;
  /** For each depth the references that are not in a list yet. */
  readonly #rows: DraftReference[][] = [[]];

  constructor(metadata: MetadataChunks) {
    this.#metadata = metadata;
  }

  /** Adds the next chunk. */
  async add(reference: DraftReference): Promise<void> {
    this.#push(0, reference);
    await this.#metadata.relieve();
  }

  /** The content of all that was added. */
  async finish(): Promise<Draft> {
    for (let depth = 0; ; depth += 1) {
      const row = this.#rows[depth] ?? [];
      if (depth === this.#rows.length - 1 && row.length <= limits.contentReferences)
        return new Draft(depth, row);
      if (row.length > 0) this.#makeList(depth);
      await this.#metadata.relieve();
    }
  }

  #push(depth: number, reference: DraftReference): void {
    const row = (this.#rows[depth] ??= []);
    row.push(reference);
    if (row.length >= limits.listReferencesMax) this.#makeList(depth);
    else if (row.length >= limits.listReferencesMin && isListEnd(reference.cut, depth)) this.#makeList(depth);
  }

  #makeList(depth: number): void {
    const references = this.#rows[depth] ?? [];
    this.#rows[depth] = [];
    const cut = references.at(-1)?.cut ?? 0;
    const list = draftList(depth + 1, references);
    this.#push(depth + 1, this.#metadata.add('list', list, contentSize({ references }), cut));
  }
}

/** One chunk in 256 ends a list; which one differs for each depth. */
function isListEnd(cut: number, depth: number): boolean {
  return mix32(cut ^ Math.imul(depth + 1, 0x9e3779b1)) >>> 24 === 0;
}
