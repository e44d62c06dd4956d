/** `forget` and `undelete`: which snapshots there are. */
import { printablePath } from '../../base/paths.js';
import { PeerStoreError } from '../../base/errors.js';
import { limits } from '../../base/limits.js';
import type { Snapshot } from '../../archive/snapshot.js';
import { chooseSnapshot, loadCatalogs } from '../../client/catalog.js';
import { judge, type KeepRules, type SnapshotGroup } from '../../client/keep-rules.js';
import { decide } from '../../client/own-catalog.js';
import { restorable, undelete } from '../../client/undelete.js';
import type { Console } from '../run.js';
import { parseDuration, showCount } from '../units.js';
import { type CommonArguments, withSession } from './context.js';

export interface ForgetArguments extends CommonArguments {
  readonly snapshots: readonly string[];
  readonly keepLast: number | undefined;
  readonly keepDaily: number | undefined;
  readonly keepWeekly: number | undefined;
  readonly keepMonthly: number | undefined;
  readonly keepWithin: string | undefined;
  readonly dryRun: boolean;
}

/** Forgets the snapshots that are named, or those that no rule keeps, and shows which ones. */
export async function runForget(args: ForgetArguments, console: Console): Promise<void> {
  const rules = rulesOf(args);
  if ((args.snapshots.length === 0) === (rules === undefined)) {
    throw new PeerStoreError(
      'USAGE',
      'say either which snapshots to forget, or which to keep: peerstore-client forget SNAPSHOT..., ' +
        'or forget --keep-last N, --keep-daily N and so on',
    );
  }
  await withSession(args, console, async (session) => {
    const catalogs = await loadCatalogs(session);
    const { snapshots } = catalogs;
    if (rules !== undefined && catalogs.unreadable.length > 0) {
      throw new PeerStoreError(
        'MISSING',
        'nothing was forgotten: the snapshots of one device cannot be listed, so rules would count wrongly; ' +
          'start the peers that are missing, or name the snapshots',
      );
    }
    const groups =
      rules === undefined
        ? named(args.snapshots.map((name) => chooseSnapshot(snapshots, name)))
        : judge(snapshots, rules);
    const verdicts = groups.flatMap((group) => group.verdicts);
    const wanted = verdicts.filter(({ reasons }) => reasons.length === 0).map(({ snapshot }) => snapshot.id);
    if (!args.quiet || args.json) for (const group of groups) show(group, args, console);
    const forgotten =
      args.dryRun || wanted.length === 0 ? wanted : await decide(session, wanted, true, catalogs);
    if (forgotten.length < wanted.length) {
      const others = showCount(wanted.length - forgotten.length, 'snapshot');
      console.err(`peerstore-client: ${others} not forgotten: undeleted or decided otherwise meanwhile`);
    }
    const kept = snapshots.length - forgotten.length;
    if (args.json) console.out(JSON.stringify({ kept, forgotten: forgotten.length, dryRun: args.dryRun }));
    else if (!args.quiet) {
      const what = `${showCount(forgotten.length, 'snapshot')} ${args.dryRun ? 'would be ' : ''}forgotten, ${kept} kept`;
      const next = args.dryRun || forgotten.length === 0 ? '' : '; undelete brings them back';
      console.out(what + next);
    }
  });
}

/** @returns undefined when there are none. @throws PeerStoreError USAGE */
function rulesOf(args: ForgetArguments): KeepRules | undefined {
  const counts = {
    last: args.keepLast,
    daily: args.keepDaily,
    weekly: args.keepWeekly,
    monthly: args.keepMonthly,
  };
  const rules: { -readonly [Rule in keyof KeepRules]: KeepRules[Rule] } = {};
  for (const kind of ['last', 'daily', 'weekly', 'monthly'] as const) {
    const count = counts[kind];
    if (count === undefined) continue;
    if (!Number.isInteger(count) || count < 1)
      throw new PeerStoreError('USAGE', `--keep-${kind} takes a whole number from 1 up`);
    rules[kind] = count;
  }
  if (args.keepWithin !== undefined) rules.withinMs = parseDuration(args.keepWithin, '--keep-within');
  return Object.keys(rules).length === 0 ? undefined : rules;
}

function named(snapshots: readonly Snapshot[]): readonly SnapshotGroup[] {
  const each = new Map(snapshots.map((snapshot) => [snapshot.id, snapshot]));
  return [...each.values()].map((snapshot) => ({
    host: snapshot.host,
    paths: snapshot.paths,
    verdicts: [{ snapshot, reasons: [] }],
  }));
}

function show({ host, paths, verdicts }: SnapshotGroup, args: ForgetArguments, console: Console): void {
  const where = paths.map(printablePath);
  if (!args.json) console.out(`${host}  ${where.join(' ')}`);
  for (const { snapshot, reasons } of verdicts) {
    const { id, timeMs, tags } = snapshot;
    const action = reasons.length > 0 ? 'keep' : 'forget';
    if (args.json) {
      const time = new Date(timeMs).toISOString();
      console.out(JSON.stringify({ id, time, host, paths: where, tags, action, reasons }));
      continue;
    }
    const why = reasons.length > 0 ? `  (${reasons.join(', ')})` : '';
    const labels = tags.length > 0 ? `  [${tags.join(', ')}]` : '';
    console.out(`  ${action.padEnd(6)}  ${id.slice(0, 12)}  ${localTime(timeMs)}${labels}${why}`);
  }
}

/** The days of rules are those of this machine's calendar, so they are shown by it. */
function localTime(timeMs: number): string {
  const time = new Date(timeMs - new Date(timeMs).getTimezoneOffset() * 60_000);
  return time.toISOString().slice(0, 16).replace('T', ' ');
}

/** Brings forgotten snapshots back; without any named, lists those that can be. */
export async function runUndelete(
  args: CommonArguments & { readonly snapshots: readonly string[] },
  console: Console,
): Promise<void> {
  await withSession(args, console, async (session) => {
    const catalogs = await loadCatalogs(session);
    if (args.snapshots.length > 0) {
      const { ids, blocks, isDecidedOtherwise } = await undelete(session, catalogs, args.snapshots);
      if (isDecidedOtherwise) {
        console.err(
          'peerstore-client: some were forgotten anew meanwhile, and stay so; undelete without names lists them',
        );
      }
      if (args.json) console.out(JSON.stringify({ snapshots: ids, blocks }));
      else if (!args.quiet) console.out(`${showCount(ids.length, 'snapshot')} brought back`);
      return;
    }
    const candidates = restorable(session, catalogs);
    for (const { snapshot, atMs } of candidates) {
      const { id, timeMs, host } = snapshot;
      const paths = snapshot.paths.map(printablePath);
      if (args.json) {
        // Until when it is listed. What it needs may be gone sooner: after a prune, the peers keep it as long as they like.
        const times = [timeMs, atMs, atMs + limits.undeleteMs].map((ms) => new Date(ms).toISOString());
        const [time, forgottenAt, listedUntil] = times;
        console.out(JSON.stringify({ id, time, host, paths, forgottenAt, listedUntil }));
      } else {
        console.out(
          `${id.slice(0, 12)}  ${localTime(timeMs)}  ${host}  ${paths.join(' ')}  forgotten ${localTime(atMs)}`,
        );
      }
    }
    if (args.json) console.out(JSON.stringify({ forgotten: candidates.length }));
    else if (candidates.length === 0 && !args.quiet)
      console.err('no forgotten snapshot that could be brought back');
  });
}
