/**
 * What a simulated process stands on: its own share of time and of the network, which a crash takes away from it at
 * once. After a crash nothing that the process had under way has any effect, although its promises are still there.
 */
import type { Clock, Timer } from '../../src/base/clock.js';
import type { Store } from '../../src/store/store.js';
import type { Identity } from '../../src/wire/identity.js';
import type { MemoryNetwork } from '../../src/wire/memory.js';
import type { Listener, Transport } from '../../src/wire/transport.js';

/** What was under way in a process that crashed. */
export class Crashed extends Error {}

/** One process, from its start to its end. */
export class Machine {
  readonly clock: Clock;
  readonly #network: MemoryNetwork;
  readonly #onTurn: () => void;
  readonly #listeners: Listener[] = [];
  #held: (() => void)[] | undefined;
  readonly #crashed: Promise<never>;
  #isCrashed = false;
  #tellCrash: () => void = () => undefined;

  /**
   * @param onTurn called before the process does anything: a timer fires, or something that it waits for has ended
   */
  constructor(network: MemoryNetwork, clock: Clock, onTurn: () => void) {
    this.#network = network;
    this.#onTurn = onTurn;
    this.#crashed = new Promise((_, reject) => {
      this.#tellCrash = () => reject(new Crashed('the process crashed'));
    });
    this.#crashed.catch(() => undefined);
    this.clock = {
      nowMs: () => clock.nowMs(),
      monotonicMs: () => clock.monotonicMs(),
      setTimer: (delayMs, action) => this.#setTimer(clock, delayMs, action),
    };
  }

  /** Whether it stands still. */
  get isPaused(): boolean {
    return this.#held !== undefined;
  }

  /** Its connections. */
  transport(identity: Identity): Transport {
    const inner = this.#network.transport(identity);
    return {
      call: (to, method, request, options) => this.#whileUp(() => inner.call(to, method, request, options)),
      listen: async (address, dispatch) => {
        const listener = await inner.listen(address, dispatch);
        this.#listeners.push(listener);
        // The plug was pulled while it began to listen: nobody is there any more.
        if (this.#isCrashed) void listener.close(0);
        return listener;
      },
      close: () => inner.close(),
    };
  }

  /**
   * Its view of a store, which outlives it.
   * @param fault asked before every operation on the disk: what it fails with, if it fails
   */
  store(inner: Store, fault: (operation: keyof Store) => Error | undefined): Store {
    return new Proxy(inner, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== 'function') return value;
        return (...args: unknown[]): unknown => {
          const work = (): unknown => Reflect.apply(value, target, args);
          return name === 'usedBytes' || name === 'stats'
            ? work()
            : this.#whileUp(async () => {
                await Promise.resolve();
                const failure = fault(name as keyof Store);
                if (failure !== undefined) throw failure;
                return work();
              });
        };
      },
    });
  }

  /** Pulls the plug. */
  crash(address: string): void {
    this.#isCrashed = true;
    this.#tellCrash();
    this.#network.resume(address);
    for (const listener of this.#listeners) void listener.close(0);
  }

  /** What the world waits for of this process. @throws Crashed when it crashes first. */
  unlessItCrashes<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, this.#crashed]);
  }

  /** Stops it for a while, as a machine that sleeps or swaps: what is sent to it meanwhile is lost. */
  pause(address: string): void {
    this.#held ??= [];
    this.#network.pause(address);
  }

  resume(address: string): void {
    this.#network.resume(address);
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const action of held) action();
  }

  #setTimer(clock: Clock, delayMs: number, action: () => void): Timer {
    let isCancelled = false;
    const fire = (): void => {
      if (isCancelled || this.#isCrashed) return;
      if (this.#held === undefined) {
        this.#onTurn();
        action();
      } else this.#held.push(fire);
    };
    const timer = clock.setTimer(delayMs, fire);
    return {
      cancel: () => {
        isCancelled = true;
        timer.cancel();
      },
    };
  }

  /** Does something that neither begins nor ends after a crash, and does not end during a pause. */
  #whileUp<T>(work: () => Promise<T>): Promise<T> {
    return new Promise((resolve) => {
      if (this.#isCrashed) return;
      const result = work();
      // Resolving with the promise hands its error on, too.
      const end = (): void => {
        if (this.#isCrashed) return;
        if (this.#held === undefined) {
          this.#onTurn();
          resolve(result);
        } else this.#held.push(end);
      };
      result.then(end, end);
    });
  }
}
