/**
 * What a scenario without time reports: it measures rings in which nothing changes, under one condition after the other,
 * and each makes a line of a table.
 */
import {
  type CommonOptions,
  type FigureRow,
  LookupFigures,
  type Outcome,
  type Violation,
} from './scenario.js';
import { Trace } from './trace.js';

/** What lookups cost under one condition. */
export type LookupCosts = ReturnType<LookupFigures['figures']>;

export class StaticReport {
  readonly #scenario: string;
  readonly #options: Required<CommonOptions>;
  readonly #trace = new Trace();
  readonly #violations: Violation[] = [];
  readonly #tables = new Map<string, FigureRow[]>();
  #costs: LookupCosts = new LookupFigures().figures();

  /** @param options `peers` of the largest ring, and the `steps` of each condition */
  constructor(scenario: string, options: Required<CommonOptions>) {
    this.#scenario = scenario;
    this.#options = options;
  }

  /** Writes something that happened into the trace. */
  note(what: string): void {
    this.#trace.note(0, what);
  }

  /** Adds a line to a table. */
  row(table: string, line: FigureRow): void {
    const lines = this.#tables.get(table) ?? [];
    lines.push(line);
    this.#tables.set(table, lines);
  }

  /**
   * Ends a condition. The report counts the lookups of all conditions, and the failed ones, and says of the last one
   * what they cost.
   */
  condition(figures: LookupFigures): LookupCosts {
    const costs = figures.figures();
    const { lookups, failed } = this.#costs;
    this.#costs = { ...costs, lookups: lookups + costs.lookups, failed: failed + costs.failed };
    return costs;
  }

  /** Notes a broken rule, unless it holds. */
  expect(holds: boolean, rule: string, what: string): void {
    if (!holds) this.#violations.push({ rule, what, atMs: 0 });
  }

  /** Notes a broken rule when a figure is larger than its bound. */
  expectAtMost(figure: number, bound: number, rule: string, where: string): void {
    this.expect(figure <= bound, rule, `${figure} is more than ${bound} ${where}`);
  }

  outcome(): Outcome {
    return {
      violations: this.#violations,
      figures: {
        scenario: this.#scenario,
        ...this.#options,
        virtualMs: 0,
        trace: this.#trace.digest,
        violations: this.#violations.length,
        ...this.#costs,
        ...Object.fromEntries(this.#tables),
      },
    };
  }
}
