/**
 * A set of keys of 16 bytes that are random already, such as the beginnings of hashes: open addressing in one array, so
 * that a million of them take 32 MiB at most, and not the 150 MB that they take as strings.
 */
const keyWords = 4;
const firstCapacity = 1024;

export class HashSet {
  #words = new Uint32Array(firstCapacity * keyWords);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /**
   * Adds a key.
   * @param key the first 16 bytes count; all zero is no key
   * @returns whether it was not there.
   */
  add(key: Uint8Array): boolean {
    const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
    const words = [0, 4, 8, 12].map((at) => view.getUint32(at));
    // At most two thirds full.
    if (3 * (this.#size + 1) > 2 * (this.#words.length / keyWords)) this.#grow();
    const isNew = this.#insert(this.#words, words);
    if (isNew) this.#size += 1;
    return isNew;
  }

  #insert(table: Uint32Array, words: readonly number[]): boolean {
    const capacity = table.length / keyWords;
    // All of it counts: keys that begin alike must not lie side by side.
    for (let slot = mixed(words) % capacity; ; slot = (slot + 1) % capacity) {
      const at = slot * keyWords;
      let isEmpty = true;
      let isSame = true;
      for (let word = 0; word < keyWords; word += 1) {
        isEmpty &&= table[at + word] === 0;
        isSame &&= table[at + word] === words[word];
      }
      if (isSame) return false;
      if (!isEmpty) continue;
      table.set(words, at);
      return true;
    }
  }

  #grow(): void {
    const before = this.#words;
    const larger = new Uint32Array(2 * before.length);
    for (let at = 0; at < before.length; at += keyWords) {
      const words = [...before.subarray(at, at + keyWords)];
      if (words.some((word) => word !== 0)) this.#insert(larger, words);
    }
    this.#words = larger;
  }
}

/** A number from all four words, by the multiplications of MurmurHash3's finaliser. */
function mixed(words: readonly number[]): number {
  let mix = 0;
  for (const word of words) {
    mix = Math.imul(mix ^ word, 0x85ebca6b);
    mix = Math.imul(mix ^ (mix >>> 13), 0xc2b2ae35);
    mix ^= mix >>> 16;
  }
  return mix >>> 0;
}
