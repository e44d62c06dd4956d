/**
 * Which snapshots to keep: so many of the last ones, of the last days, weeks and months, and all of a time. A machine's
 * snapshots of the same paths are judged by themselves, so that one that is backed up seldom is not pushed out by
 * another.
 */
import { asBuffer } from '../base/bytes.js';
import type { Snapshot } from '../archive/snapshot.js';

/** How many to keep of each kind; a snapshot that any rule keeps is kept. */
export interface KeepRules {
  readonly last?: number;
  readonly daily?: number;
  readonly weekly?: number;
  readonly monthly?: number;
  /** All that are at most this much older than the newest one. */
  readonly withinMs?: number;
}

/** What becomes of a snapshot. */
export interface Verdict {
  readonly snapshot: Snapshot;
  /** The rules that keep it; none for one that goes. */
  readonly reasons: readonly Reason[];
}

export type Reason = 'last' | 'daily' | 'weekly' | 'monthly' | 'within';

/** The snapshots of some paths of a machine. */
export interface SnapshotGroup {
  readonly host: string;
  readonly paths: readonly Uint8Array[];
  /** Newest first. */
  readonly verdicts: readonly Verdict[];
}

/** In what day, week (from Monday) and month of a person's calendar a time lies. Equal texts are the same one. */
export type Calendar = (timeMs: number) => Record<'daily' | 'weekly' | 'monthly', string>;

/** The calendar of this machine's time zone. */
export const localCalendar: Calendar = (timeMs) => {
  const time = new Date(timeMs);
  const day = (date: Date): string => `${date.getFullYear()}-${date.getMonth() + 1}-${date.getDate()}`;
  const monday = new Date(time);
  monday.setDate(time.getDate() - ((time.getDay() + 6) % 7));
  return { daily: day(time), weekly: day(monday), monthly: `${time.getFullYear()}-${time.getMonth() + 1}` };
};

/**
 * Judges snapshots by rules.
 * @param snapshots oldest first
 * @returns the groups, in the order of their hosts and paths
 */
export function judge(
  snapshots: readonly Snapshot[],
  rules: KeepRules,
  calendar: Calendar = localCalendar,
): readonly SnapshotGroup[] {
  const groups = new Map<string, Snapshot[]>();
  for (const snapshot of snapshots) {
    const paths = [...snapshot.paths].map((path) => asBuffer(path).toString('hex')).sort();
    const key = JSON.stringify([snapshot.host, paths]);
    const group = groups.get(key) ?? [];
    group.push(snapshot);
    groups.set(key, group);
  }
  return [...groups]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, group]) => group.reverse())
    .map((group) => ({
      host: group[0]?.host ?? '',
      paths: group[0]?.paths ?? [],
      verdicts: verdictsOn(group, rules, calendar),
    }));
}

/** @param group newest first */
function verdictsOn(group: readonly Snapshot[], rules: KeepRules, calendar: Calendar): readonly Verdict[] {
  const newestMs = group[0]?.timeMs ?? 0;
  const seen = { daily: new Set<string>(), weekly: new Set<string>(), monthly: new Set<string>() };
  return group.map((snapshot, at) => {
    const reasons: Reason[] = [];
    if (at < (rules.last ?? 0)) reasons.push('last');
    const periods = calendar(snapshot.timeMs);
    for (const kind of ['daily', 'weekly', 'monthly'] as const) {
      // The newest one of each of the last so many periods that have any.
      if (seen[kind].has(periods[kind])) continue;
      if (seen[kind].size < (rules[kind] ?? 0)) reasons.push(kind);
      seen[kind].add(periods[kind]);
    }
    if (rules.withinMs !== undefined && snapshot.timeMs >= newestMs - rules.withinMs) reasons.push('within');
    return { snapshot, reasons };
  });
}
