/** A bound on the bytes that are on their way: whoever wants to add some waits until there is room, in order. */

export class Room {
  readonly #capacityBytes: number;
  #takenBytes = 0;
  #failure: { readonly error: unknown } | undefined;
  #waiting: {
    readonly sizeBytes: number;
    readonly resolve: () => void;
    readonly reject: (error: unknown) => void;
  }[] = [];

  constructor(capacityBytes: number) {
    this.#capacityBytes = capacityBytes;
  }

  /**
   * Takes room; what is larger than all of it waits until it is alone. Whoever has room must never wait for more.
   * @throws what {@link fail} was given.
   */
  async take(sizeBytes: number): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure.error;
    if (this.#waiting.length === 0 && this.#fits(sizeBytes)) {
      this.#takenBytes += sizeBytes;
      return;
    }
    await new Promise<void>((resolve, reject) => this.#waiting.push({ sizeBytes, resolve, reject }));
  }

  /** Gives room back. */
  release(sizeBytes: number): void {
    this.#takenBytes -= sizeBytes;
    for (
      let next = this.#waiting[0];
      next !== undefined && this.#fits(next.sizeBytes);
      next = this.#waiting[0]
    ) {
      this.#waiting.shift();
      this.#takenBytes += next.sizeBytes;
      next.resolve();
    }
  }

  /** Ends the wait of all, now and later. */
  fail(error: unknown): void {
    this.#failure = { error };
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }

  #fits(sizeBytes: number): boolean {
    return this.#takenBytes === 0 || this.#takenBytes + sizeBytes <= this.#capacityBytes;
  }
}
