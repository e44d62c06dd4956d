/**
 * What waits to be written to a stream.
 *
 * Frames that are queued in one turn of the event loop leave in one write: with TLS that is one record and one system
 * call for dozens of small answers. Large bodies go as they are, so that they are not copied. The stream is given a
 * part at a time, so that it is seen whether the other side goes on reading, however slowly.
 */
import type { Writable } from 'node:stream';

import { limits } from '../base/limits.js';

/** Bodies below this are joined with the frames around them: copying them costs less than a write of their own. */
const joinBelowBytes = 16 * 1024;

interface Part {
  readonly bytes: Uint8Array;
  /** Whether a frame begins here. */
  readonly isStart: boolean;
  /** To be given back when the part is written. */
  readonly heldBytes: number;
}

/** The sending half of a connection. */
export class Outbox {
  readonly #stream: Writable;
  readonly #giveBack: (bytes: number) => void;
  #queued: Part[] = [];
  #queuedBytes = 0;
  #heldBytes = 0;
  #takenBytes = 0;
  /** Frames that were added, and those of them of which something was handed to the stream. */
  #added = 0;
  #begun = 0;
  readonly #waiting = new Set<() => void>();

  /** @param giveBack is told, of the bytes that a frame was said to hold, when they are held no more */
  constructor(stream: Writable, giveBack: (bytes: number) => void) {
    this.#stream = stream;
    this.#giveBack = giveBack;
    stream.on('drain', () => this.flush());
  }

  /** Whether so much is waiting that a sender should wait too. */
  get isFull(): boolean {
    return this.#queuedBytes + this.#stream.writableLength >= limits.writeBufferBytes;
  }

  /** Whether the stream has taken everything. */
  get isEmpty(): boolean {
    return this.#queuedBytes + this.#stream.writableLength === 0;
  }

  /** How much the stream has taken since it was opened. */
  get takenBytes(): number {
    return this.#takenBytes;
  }

  /**
   * Queues a frame. The bytes must not change until they are written.
   * @param heldBytes what it takes of a budget until it is written
   * @returns a ticket for {@link wasWritten}.
   */
  add(frame: Uint8Array, body: Uint8Array, heldBytes = 0): number {
    // With something queued, a flush is already due: after this turn, or when the stream has drained.
    if (this.#queued.length === 0) process.nextTick(() => this.flush());
    const hasBody = body.length > 0;
    this.#queued.push({ bytes: frame, isStart: true, heldBytes: hasBody ? 0 : heldBytes });
    if (hasBody) this.#queued.push({ bytes: body, isStart: false, heldBytes });
    this.#queuedBytes += frame.length + body.length;
    this.#heldBytes += heldBytes;
    this.#added += 1;
    return this.#added;
  }

  /** Whether the frame with this ticket, or its beginning, was handed to the stream: the other side may have it. */
  wasWritten(ticket: number): boolean {
    return this.#begun >= ticket;
  }

  /**
   * Calls `action` when there is room: at once, or after what is queued has left. Never after {@link drop}.
   * @returns a function that withdraws the wish.
   */
  whenRoom(action: () => void): () => void {
    if (this.#waiting.size === 0 && !this.isFull) action();
    else this.#waiting.add(action);
    return () => this.#waiting.delete(action);
  }

  /** Hands what is queued to the stream, as long as that has less than `mostBytes` to write. */
  flush(mostBytes: number = limits.writeAtOnceBytes): void {
    // Again and again: a stream that takes what it is given at once never says that it has drained.
    while (this.#queued.length > 0 && this.#stream.writableLength < mostBytes) {
      this.#handOver(mostBytes - this.#stream.writableLength);
    }
    this.#letIn();
  }

  /** Forgets what is queued and who waits: the stream is gone. */
  drop(): void {
    this.#queued = [];
    this.#queuedBytes = 0;
    this.#waiting.clear();
    this.#release(this.#heldBytes);
  }

  /** Writes from the beginning of the queue, up to `mostBytes` or a little more. */
  #handOver(mostBytes: number): void {
    const parts = this.#queued;
    let small: Uint8Array[] = [];
    let smallHeldBytes = 0;
    const writeSmall = (): void => {
      const [only] = small;
      if (only === undefined) return;
      this.#write(small.length === 1 ? only : Buffer.concat(small), smallHeldBytes);
      small = [];
      smallHeldBytes = 0;
    };
    let writtenBytes = 0;
    let at = 0;
    for (; at < parts.length && writtenBytes < mostBytes; at += 1) {
      const part = parts[at] as Part;
      if (part.isStart) this.#begun += 1;
      const piece = part.bytes.subarray(0, limits.writeAtOnceBytes);
      writtenBytes += piece.length;
      if (part.bytes.length < joinBelowBytes) {
        small.push(part.bytes);
        smallHeldBytes += part.heldBytes;
        continue;
      }
      writeSmall();
      const rest = part.bytes.subarray(piece.length);
      this.#write(piece, rest.length === 0 ? part.heldBytes : 0);
      if (rest.length === 0) continue;
      parts[at] = { ...part, bytes: rest, isStart: false };
      break;
    }
    writeSmall();
    this.#queued = at === parts.length ? [] : parts.slice(at);
    this.#queuedBytes -= writtenBytes;
  }

  #write(bytes: Uint8Array, heldBytes: number): void {
    this.#stream.write(bytes, () => {
      this.#takenBytes += bytes.length;
      this.#release(heldBytes);
    });
  }

  /** Gives back what is still held: after {@link drop} that is nothing. */
  #release(bytes: number): void {
    const releasedBytes = Math.min(bytes, this.#heldBytes);
    this.#heldBytes -= releasedBytes;
    if (releasedBytes > 0) this.#giveBack(releasedBytes);
  }

  #letIn(): void {
    for (const action of this.#waiting) {
      if (this.isFull) return;
      this.#waiting.delete(action);
      action();
    }
  }
}
