/**
 * What waits to be written to a stream.
 *
 * Frames that are queued in one turn of the event loop leave in one write: with TLS that is one record and one system
 * call for dozens of small answers. Large bodies go as they are, so that they are not copied.
 */
import type { Writable } from 'node:stream';

import { limits } from '../base/limits.js';

/** Bodies below this are joined with the frames around them: copying them costs less than a write of their own. */
const joinBelowBytes = 16 * 1024;

/** The sending half of a connection. */
export class Outbox {
  readonly #stream: Writable;
  #queued: Uint8Array[] = [];
  #queuedBytes = 0;
  #flushes = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(stream: Writable) {
    this.#stream = stream;
    stream.on('drain', () => this.#letIn());
  }

  /** Whether so much is waiting that a sender should wait too. */
  get isFull(): boolean {
    return this.#queuedBytes + this.#stream.writableLength >= limits.writeBufferBytes;
  }

  /**
   * Queues a frame. The bytes must not change until they are written.
   * @returns a ticket for {@link wasWritten}.
   */
  add(frame: Uint8Array, body: Uint8Array): number {
    if (this.#queued.length === 0) process.nextTick(() => this.flush());
    this.#queued.push(frame);
    this.#queuedBytes += frame.length;
    if (body.length > 0) {
      this.#queued.push(body);
      this.#queuedBytes += body.length;
    }
    return this.#flushes;
  }

  /** Whether the frame with this ticket was handed to the stream: the other side may have it. */
  wasWritten(ticket: number): boolean {
    return this.#flushes > ticket;
  }

  /** Calls `action` when there is room: at once, or after what is queued has left. Never after {@link drop}. */
  whenRoom(action: () => void): void {
    if (this.#waiting.length === 0 && !this.isFull) action();
    else this.#waiting.push(action);
  }

  /** Hands what is queued to the stream. */
  flush(): void {
    const queued = this.#queued;
    if (queued.length === 0) return;
    this.#queued = [];
    this.#queuedBytes = 0;
    this.#flushes += 1;
    let from = 0;
    for (const [at, part] of queued.entries()) {
      if (part.length < joinBelowBytes) continue;
      this.#writeJoined(queued.slice(from, at));
      this.#stream.write(part);
      from = at + 1;
    }
    this.#writeJoined(from === 0 ? queued : queued.slice(from));
  }

  /** Forgets what is queued and who waits: the stream is gone. */
  drop(): void {
    this.#queued = [];
    this.#queuedBytes = 0;
    this.#waiting.length = 0;
  }

  #writeJoined(parts: readonly Uint8Array[]): void {
    const [only] = parts;
    if (only === undefined) return;
    this.#stream.write(parts.length === 1 ? only : Buffer.concat(parts));
  }

  #letIn(): void {
    while (!this.isFull) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      next();
    }
  }
}
