/**
 * The files of the blocks: `blocks/ab/<id>` holds a block's bytes and nothing else, so `sha256sum` of a file gives its
 * name, and a listing says which keys a peer holds. What is in the trash lies in `trash/ab/<id>`; what no longer
 * matched its name is set aside as `damaged/<id>`, for a person to look at and remove.
 */
import { join } from 'node:path';

import { type Id, hashToId } from '../ring/identifier.js';
import { type DiskFiles, type SetAside, Shelf } from './disk-files.js';

export class BlockFiles {
  readonly held: Shelf;
  readonly trashed: Shelf;
  readonly #damagedPath: string;
  readonly #files: DiskFiles;

  /** @param path the store's data path */
  constructor(path: string, files: DiskFiles) {
    this.held = new Shelf(join(path, 'blocks'));
    this.trashed = new Shelf(join(path, 'trash'));
    this.#damagedPath = join(path, 'damaged');
    this.#files = files;
  }

  /** Keeps a block's bytes, durably. */
  write(id: Id, bytes: Uint8Array, shelf: Shelf = this.held): Promise<void> {
    return this.#files.write(shelf.pathOf(id), bytes);
  }

  /** A part of a block: shorter than asked for when the file is, undefined when there is none. */
  read(id: Id, offset: number, length: number, shelf: Shelf = this.held): Promise<Uint8Array | undefined> {
    return this.#files.read(shelf.pathOf(id), offset, length);
  }

  /**
   * A whole block, checked.
   * @returns undefined when there is no file, or its bytes do not have this id.
   */
  async readChecked(id: Id, sizeBytes: number, shelf: Shelf = this.held): Promise<Uint8Array | undefined> {
    // One byte more than there should be: a file that grew is damaged, too.
    const bytes = await this.read(id, 0, sizeBytes + 1, shelf);
    return bytes?.length === sizeBytes && hashToId(bytes) === id ? bytes : undefined;
  }

  /** Size and time of the file of a block, undefined when there is none. */
  stat(id: Id, shelf: Shelf = this.held): Promise<{ sizeBytes: number; changedAtMs: number } | undefined> {
    return this.#files.stat(shelf.pathOf(id));
  }

  /** Removes a block's file for good. */
  remove(id: Id, shelf: Shelf = this.held): Promise<void> {
    return this.#files.remove(shelf.pathOf(id));
  }

  /** @returns whether its file was there to be moved. */
  moveToTrash(id: Id): Promise<boolean> {
    return this.#files.move(this.held.pathOf(id), this.trashed.pathOf(id));
  }

  /** Takes a block out of the trash, durably. @returns whether its file was there to be moved. */
  moveFromTrash(id: Id): Promise<boolean> {
    return this.#files.move(this.trashed.pathOf(id), this.held.pathOf(id));
  }

  /** Puts a damaged file where nobody serves it. A file of this name from before is replaced. */
  setAside(id: Id, shelf: Shelf = this.held): Promise<SetAside> {
    return this.#files.setAside(shelf.pathOf(id), join(this.#damagedPath, id));
  }
}
