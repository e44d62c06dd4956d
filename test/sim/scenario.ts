/** What all scenarios report: the fields that scripts read, and those of the scenario's own. */
import type { Random } from '../../src/base/random.js';
import { Tally } from './figures.js';
import type { World } from './world.js';

/** A rule that was broken. */
export interface Violation {
  readonly rule: string;
  readonly what: string;
  /** Milliseconds of virtual time since the run began. */
  readonly atMs: number;
}

/** What every scenario takes. */
export interface CommonOptions {
  readonly seed: number;
  /** How many peers; each scenario has a number of its own for when nobody says. */
  readonly peers?: number;
  /** How much of what the scenario repeats: lookups, rounds, events; each scenario says which. */
  readonly steps?: number;
}

/** What came of a run. */
export interface Outcome {
  readonly violations: readonly Violation[];
  readonly figures: Figures;
}

/** Options of a scenario's own, each a number, with what they are when nobody says; undefined stands for a range. */
export type OwnOptions = Readonly<Record<string, number | undefined>>;

/** One kind of run. Its figures depend on nothing but its options. */
export interface Scenario<Own extends OwnOptions = OwnOptions> {
  /** What it shows, in a line. */
  readonly summary: string;
  /** What may be given as `--name VALUE`. */
  readonly own: Own;
  /** Options for one of many runs (`make soak`, `make test`): of every kind, and about a second long. */
  draw?(random: Random): Readonly<Record<string, number>>;
  run(options: CommonOptions & Own): Promise<Outcome>;
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
  readonly [own: string]: string | number | readonly FigureRow[];
}

/** A line of a table, for scenarios that measure the same under several conditions. */
export type FigureRow = Readonly<Record<string, string | number>>;

/** Counts what lookups cost. */
export class LookupFigures {
  readonly #paths = new Tally();
  readonly #timeouts = new Tally();
  #failed = 0;

  answered(hops: number, failures: number): void {
    this.#paths.add(hops);
    this.#timeouts.add(failures);
  }

  get count(): number {
    return this.#paths.count + this.#failed;
  }

  get failedCount(): number {
    return this.#failed;
  }

  /** A lookup that gave no answer, or a wrong one. */
  failed(): void {
    this.#failed += 1;
  }

  figures(): Pick<Figures, 'lookups' | 'failed' | 'pathMean' | 'pathP99' | 'timeoutsMean'> {
    return {
      lookups: this.count,
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
