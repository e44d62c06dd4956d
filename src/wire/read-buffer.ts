/**
 * Where a socket that we open reads into, again and again. By default Node takes new memory for every 16 KiB that come,
 * and V8 collects garbage whenever tens of MiB of such memory have piled up: with blocks coming in at full speed that is
 * every few milliseconds. (Node offers this for sockets that connect, and not for those that a server accepts.)
 */
/** The most that one TLS record carries. */
const recordBytes = 16 * 1024;

export class ReadBuffer {
  /** For the options of `connect`. */
  readonly onread: { readonly buffer: Uint8Array; readonly callback: (length: number) => boolean };
  #take: ((piece: Uint8Array) => void) | undefined;

  constructor() {
    const buffer = Buffer.allocUnsafeSlow(recordBytes);
    this.onread = {
      buffer,
      callback: (length) => {
        this.#take?.(buffer.subarray(0, length));
        return true;
      },
    };
  }

  /** Says who takes what is read from now on; each piece holds until it has been taken. */
  to(take: (piece: Uint8Array) => void): void {
    this.#take = take;
  }
}
