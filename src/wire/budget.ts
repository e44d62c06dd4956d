/** Memory that many connections share. */
import type { BodyMemory } from './body-memory.js';

/** A number of bytes that may be held at once. */
export class ByteBudget {
  readonly #parent: ByteBudget | undefined;
  #free: number;

  /** @param parent what this one is a part of: bytes are taken from both */
  constructor(bytes: number, parent?: ByteBudget) {
    this.#free = bytes;
    this.#parent = parent;
  }

  /** Takes bytes from the budget, unless there are too few. */
  tryTake(bytes: number): boolean {
    if (bytes > this.#free || this.#parent?.tryTake(bytes) === false) return false;
    this.#free -= bytes;
    return true;
  }

  giveBack(bytes: number): void {
    this.#free += bytes;
    this.#parent?.giveBack(bytes);
  }
}

/** What the connections of a transport, or of one caller, may hold. */
export interface ConnectionMemory {
  /** The bodies of requests, from their first byte until they are answered. */
  readonly requestBodies: ByteBudget;
  /** Where those bodies are put. */
  readonly bodies: BodyMemory;
  /** Answers, until the other side takes them. */
  readonly answers: ByteBudget;
}
