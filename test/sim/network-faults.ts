/**
 * What the simulated network does to messages: delays, losses, breaks, duplicates, cuts and slow peers. Messages travel
 * independently of each other, so they overtake each other by as much as their delays differ.
 */
import { jittered, type Random, randomFraction } from '../../src/base/random.js';
import type { Fault, MemoryMessage } from '../../src/wire/memory.js';

/** How a network behaves; each share is a probability from 0 to 1. */
export interface NetworkConditions {
  /** How long a message travels on average, in milliseconds; half of it more or less. */
  readonly delayMs: number;
  /** Messages that take {@link spikeMs} more, as when a queue is full. */
  readonly spikeShare: number;
  readonly spikeMs: number;
  /** Messages that are lost without a sign. */
  readonly lossShare: number;
  /** Messages whose connection breaks, which the caller hears of. */
  readonly breakShare: number;
  /** Requests that arrive twice. */
  readonly duplicateShare: number;
}

/** The longest that messages take on average in a network in which the rules of the whole ring are to hold. */
export const mostDelayMs = 50;

/** A network that only takes its time. */
export const calm: NetworkConditions = {
  delayMs: 5,
  spikeShare: 0,
  spikeMs: 0,
  lossShare: 0,
  breakShare: 0,
  duplicateShare: 0,
};

/** A cut that can be healed. Messages that are on their way when it comes or goes are not affected. */
export interface Cut {
  heal(): void;
}

/** Messages that something happened to. */
export interface NetworkFigures {
  cutOff: number;
  lost: number;
  broken: number;
  duplicated: number;
  spikes: number;
}

export class NetworkFaults {
  conditions: NetworkConditions;
  readonly figures: NetworkFigures = { cutOff: 0, lost: 0, broken: 0, duplicated: 0, spikes: 0 };
  readonly #random: Random;
  readonly #cuts = new Set<(from: string, to: string) => boolean>();
  readonly #slowMs = new Map<string, number>();

  constructor(random: Random, conditions: Partial<NetworkConditions> = {}) {
    this.#random = random;
    this.conditions = { ...calm, ...conditions };
  }

  /** Lets nothing pass from some addresses to others; in the other direction everything does. */
  cutOneWay(from: Iterable<string>, to: Iterable<string>): Cut {
    const [senders, receivers] = [new Set(from), new Set(to)];
    return this.#cut((sender, receiver) => senders.has(sender) && receivers.has(receiver));
  }

  /** Lets nothing pass between two sides, in either direction. */
  cut(one: Iterable<string>, other: Iterable<string>): Cut {
    const [left, right] = [new Set(one), new Set(other)];
    return this.#cut((a, b) => (left.has(a) && right.has(b)) || (right.has(a) && left.has(b)));
  }

  /** Ends every cut. */
  heal(): void {
    this.#cuts.clear();
  }

  /** From now on everything to and from this address takes longer; 0 makes it as quick as the others. */
  slow(address: string, byMs: number): void {
    if (byMs > 0) this.#slowMs.set(address, byMs);
    else this.#slowMs.delete(address);
  }

  /** Whether nothing passes from one address to another now. */
  isCut(from: string, to: string): boolean {
    for (const isCut of this.#cuts) if (isCut(from, to)) return true;
    return false;
  }

  /** What happens to a message that is sent now. */
  decide({ from, to, kind }: MemoryMessage): Fault | undefined {
    const { lossShare, breakShare, duplicateShare } = this.conditions;
    if (this.isCut(from, to)) return this.#counted('cutOff', 'lose');
    if (this.#happens(lossShare)) return this.#counted('lost', 'lose');
    if (this.#happens(breakShare)) return this.#counted('broken', 'break');
    if (kind === 'request' && this.#happens(duplicateShare)) return this.#counted('duplicated', 'duplicate');
    return undefined;
  }

  /** How long a message that is sent now travels. */
  delayMs(from: string, to: string): number {
    const { delayMs, spikeShare, spikeMs } = this.conditions;
    const slowMs = (this.#slowMs.get(from) ?? 0) + (this.#slowMs.get(to) ?? 0);
    const isSpike = this.#happens(spikeShare);
    if (isSpike) this.figures.spikes += 1;
    return jittered(this.#random, delayMs + slowMs, 0.5) + (isSpike ? spikeMs : 0);
  }

  #counted(figure: keyof NetworkFigures, fault: Fault): Fault {
    this.figures[figure] += 1;
    return fault;
  }

  #cut(isCut: (from: string, to: string) => boolean): Cut {
    this.#cuts.add(isCut);
    return { heal: () => this.#cuts.delete(isCut) };
  }

  /** Draws only where something may happen, so that a calm network costs no chance. */
  #happens(share: number): boolean {
    return share > 0 && randomFraction(this.#random) < share;
  }
}
