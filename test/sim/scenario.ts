/** What all scenarios report: the fields that scripts read, and those of the scenario's own. */
import type { World } from './world.js';

export interface ScenarioOptions {
  readonly seed: number;
  readonly peers?: number;
}

/** The figures of one run; the last line of `npm run sim`. */
export interface Figures {
  readonly scenario: string;
  readonly seed: number;
  readonly peers: number;
  /** Events of virtual time. */
  readonly steps: number;
  readonly virtualMs: number;
  /** A hash of everything that happened. */
  readonly trace: string;
  readonly violations: number;
  readonly lookups: number;
  readonly failed: number;
  readonly pathMean: number;
  readonly pathP99: number;
  readonly timeoutsMean: number;
  readonly [own: string]: string | number;
}

export interface Scenario {
  run(options: ScenarioOptions): Promise<{ readonly world: World; readonly figures: Figures }>;
}

/** Counts what lookups cost. */
export class LookupFigures {
  readonly #hops: number[] = [];
  #timeouts = 0;
  #failed = 0;

  answered(hops: number, failures: number): void {
    this.#hops.push(hops);
    this.#timeouts += failures;
  }

  /** A lookup that gave no answer, or a wrong one. */
  failed(): void {
    this.#failed += 1;
  }

  figures(): Pick<Figures, 'lookups' | 'failed' | 'pathMean' | 'pathP99' | 'timeoutsMean'> {
    const sorted = [...this.#hops].sort((a, b) => a - b);
    const count = sorted.length;
    const mean = (total: number): number => (count === 0 ? 0 : Number((total / count).toFixed(3)));
    return {
      lookups: count + this.#failed,
      failed: this.#failed,
      pathMean: mean(sorted.reduce((sum, hops) => sum + hops, 0)),
      pathP99: sorted[Math.max(0, Math.ceil(count * 0.99) - 1)] ?? 0,
      timeoutsMean: mean(this.#timeouts),
    };
  }
}

/** The figures that every run has, from the state of its world. */
export function commonFigures(scenario: string, world: World, lookups: LookupFigures): Figures {
  return {
    scenario,
    seed: world.seed,
    peers: world.live.length,
    steps: world.clock.events,
    virtualMs: Math.round(world.clock.monotonicMs()),
    trace: world.trace,
    violations: world.violations.length,
    ...lookups.figures(),
  };
}
