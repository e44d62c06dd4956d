/** What all scenarios report: the fields that scripts read, and those of the scenario's own. */
import { Tally } from './figures.js';
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
  readonly #paths = new Tally();
  readonly #timeouts = new Tally();
  #failed = 0;

  answered(hops: number, failures: number): void {
    this.#paths.add(hops);
    this.#timeouts.add(failures);
  }

  /** A lookup that gave no answer, or a wrong one. */
  failed(): void {
    this.#failed += 1;
  }

  figures(): Pick<Figures, 'lookups' | 'failed' | 'pathMean' | 'pathP99' | 'timeoutsMean'> {
    return {
      lookups: this.#paths.count + this.#failed,
      failed: this.#failed,
      pathMean: this.#paths.mean,
      pathP99: this.#paths.percentile(0.99),
      timeoutsMean: this.#timeouts.mean,
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
