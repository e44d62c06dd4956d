/** Errands: what a peer looks into after it has answered whoever asked for it. Bounded, and each once at a time. */
import { hasCode, messageOf } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { Logger } from '../base/log.js';
import type { PeerRef } from '../ring/peer.js';

export class Errands {
  readonly #log: Logger;
  /** Those under way, by what they are about. */
  readonly #underWay = new Map<string, Promise<void>>();
  #isOver = false;

  constructor(log: Logger) {
    this.#log = log;
  }

  /**
   * Does something that nobody waits for. It is left undone when the same is under way for this peer, or too much else:
   * whoever wants it says so again.
   */
  run(what: string, peer: PeerRef, work: () => Promise<void>): void {
    const key = `${what} ${peer.id}`;
    if (this.#isOver || this.#underWay.has(key) || this.#underWay.size >= limits.errands) return;
    const done = work()
      .catch((error: unknown) => {
        if (hasCode(error, 'CANCELLED')) return;
        this.#log.error(`a ${what} could not be looked into`, { error: messageOf(error) });
      })
      .finally(() => this.#underWay.delete(key));
    this.#underWay.set(key, done);
  }

  /** Takes no more of them, and resolves when those under way are done. */
  async end(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#underWay.values());
  }
}
