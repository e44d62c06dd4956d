/**
 * The whole way with the real programs, beside what people use: a large file that does not compress, and a tree of
 * sources; each backed up, backed up again unchanged, and restored, the file also after an edit inside it. Ours do it on
 * rings of peers on this machine, over TLS; restic and Borg, where they are installed, into a local directory.
 *
 * Each round takes every program in turn, so that whatever else the machine does falls on all of them; medians count.
 */
import { existsSync } from 'node:fs';
import { cp, mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import { compareTrees } from '../fixtures/compare-trees.js';
import { type Contender, contenders } from './contenders.js';
import { inLab, median } from './programs.js';
import { copySourceTree, editInside, sizeOf, writePseudoRandom } from './sources.js';

const MiB = 1024 * 1024;
const largeMiB = 512;
const editedMiB = Math.round(largeMiB / 100);
const largeName = 'large.bin';
const defaultRounds = 5;

/** One figure of one run, in seconds or bytes. */
type Figure = 'first' | 'again' | 'restore' | 'stored' | 'editStored' | 'clientPeak' | 'peerPeak';
type Run = Partial<Record<Figure, number>>;

/** A line of the table: a figure, held against that of the best of the others. */
interface Row {
  readonly title: string;
  readonly source: 'large' | 'tree';
  readonly figure: Figure;
  /** With how many copies: what ours has to be, as a multiple of what the best of the others is. At most. */
  readonly goals: Readonly<Record<number, number>>;
  /** Whom to hold it against; all others unless told. */
  readonly against?: string;
}

/** The goals, as multiples of time and bytes: twice the throughput is half the time. */
const rows: readonly Row[] = [
  { title: 'first backup, large file', source: 'large', figure: 'first', goals: { 1: 1 / 2, 3: 1 } },
  { title: 'first backup, source tree', source: 'tree', figure: 'first', goals: { 1: 1 / 1.5, 3: 1 } },
  { title: 'the same again, large file', source: 'large', figure: 'again', goals: { 1: 1 / 2, 3: 1 / 2 } },
  { title: 'the same again, source tree', source: 'tree', figure: 'again', goals: { 1: 1 / 2, 3: 1 / 2 } },
  { title: 'restore, large file', source: 'large', figure: 'restore', goals: { 1: 1 / 2.5, 3: 1 / 2.5 } },
  { title: 'restore, source tree', source: 'tree', figure: 'restore', goals: {} },
  {
    title: 'stored after an edit',
    source: 'large',
    figure: 'editStored',
    goals: { 1: 1.2, 3: 1.2 },
    against: 'borg',
  },
  { title: 'stored, source tree', source: 'tree', figure: 'stored', goals: { 1: 1.05, 3: 1.05 } },
];

/**
 * Measures, and prints a table of the rows with some figures.
 * @returns every median, by program and source.
 */
export async function compare(figures: readonly Figure[]): Promise<Record<string, unknown>> {
  const rounds = Number(process.argv[3] ?? defaultRounds);
  const programs = await contenders();
  const runs = new Map<string, Run[]>();
  const sources = await inLab(async (lab) => {
    const paths = { large: lab.path('large'), tree: lab.path('tree') };
    await mkdir(paths.large);
    await writePseudoRandom(join(paths.large, largeName), largeMiB);
    await copySourceTree(paths.tree);
    for (let round = 0; round < rounds; round += 1) {
      for (const program of programs) {
        for (const source of ['large', 'tree'] as const) {
          const key = `${program.name} ${source}`;
          runs.set(key, [...(runs.get(key) ?? []), await once(program, paths[source], figures)]);
        }
      }
    }
    return { largeMiB, tree: await sizeOf(paths.tree) };
  });
  const medians = new Map([...runs].map(([key, all]) => [key, mediansOf(all)]));
  printTable(programs, medians, figures);
  return { rounds, ...sources, ...Object.fromEntries(medians) };
}

/** Everything from the beginning, in a lab of its own. */
function once(program: Contender, original: string, figures: readonly Figure[]): Promise<Run> {
  return inLab(async (lab) => {
    const run: Run = {};
    const source = lab.path('source');
    await cp(original, source, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true });
    const opened = await program.open(lab);
    run.first = await secondsOf(() => opened.backup(source));
    run.stored = await opened.storedBytes();
    if (figures.includes('again')) run.again = await secondsOf(() => opened.backup(source));
    if (figures.includes('restore')) {
      const target = lab.path('restored');
      run.restore = await secondsOf(() => opened.restore(target));
      const [difference] = await compareTrees(source, join(target, source));
      if (difference !== undefined) throw new Error(`${program.name} restored it otherwise: ${difference}`);
    }
    if (figures.includes('editStored') && existsSync(join(source, largeName))) {
      const before = await opened.storedBytes();
      await editInside(join(source, largeName), editedMiB);
      await opened.backup(source);
      run.editStored = (await opened.storedBytes()) - before;
    }
    const peaks = await opened.end?.();
    if (peaks !== undefined) [run.clientPeak, run.peerPeak] = [peaks.clientBytes, peaks.peerBytes];
    return run;
  });
}

function mediansOf(runs: readonly Run[]): Run {
  const figures = Object.keys(runs[0] ?? {}) as Figure[];
  const round = (value: number): number => Math.round(value * 100) / 100;
  return Object.fromEntries(
    figures.map((figure) => [figure, round(median(runs.map((run) => run[figure] ?? NaN)))]),
  );
}

/** For each row the figures of the others, and of ours as multiples of the best of them, beside the goals. */
function printTable(
  programs: readonly Contender[],
  medians: ReadonlyMap<string, Run>,
  figures: readonly Figure[],
): void {
  const others = programs.filter(({ replicas }) => replicas === undefined);
  const ours = programs.filter(({ replicas }) => replicas !== undefined);
  for (const { title, source, figure, goals, against } of rows) {
    if (!figures.includes(figure)) continue;
    const of = ({ name }: Contender): number => medians.get(`${name} ${source}`)?.[figure] ?? NaN;
    const best = Math.min(...others.filter(({ name }) => name === (against ?? name)).map(of));
    const columns = others.map((other) => `${other.name} ${show(figure, of(other))}`);
    for (const our of ours) {
      const goal = goals[our.replicas ?? 0];
      const wanted = goal === undefined ? '' : `, goal ${goal.toFixed(2)}`;
      columns.push(`${our.name} ${show(figure, of(our))} = ${(of(our) / best).toFixed(2)} times${wanted}`);
    }
    console.log(`${title}: ${columns.join('; ')}`);
  }
}

function show(figure: Figure, value: number): string {
  return figure === 'stored' || figure === 'editStored'
    ? `${(value / MiB).toFixed(1)} MiB`
    : `${value.toFixed(2)} s`;
}

async function secondsOf(work: () => Promise<unknown>): Promise<number> {
  const since = performance.now();
  await work();
  return (performance.now() - since) / 1000;
}
