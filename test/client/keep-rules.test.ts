import { expect } from 'chai';

import { utf8 } from '../../src/base/bytes.js';
import { makeSnapshot, type Snapshot } from '../../src/archive/snapshot.js';
import { judge, type KeepRules, localCalendar } from '../../src/client/keep-rules.js';

const counts = { files: 1, dirs: 1, bytes: 1, newBytes: 0, storedBytes: 0, errors: 0 };

/** A time of the local calendar, which the rules go by. */
const local = (month: number, day: number, hour = 12): number =>
  new Date(2026, month - 1, day, hour).getTime();

const snapshotAt = (timeMs: number, host = 'host', paths = ['/data']): Snapshot =>
  makeSnapshot({
    timeMs,
    host,
    user: 'user',
    paths: paths.map(utf8),
    tags: [],
    root: { depth: 0, references: [] },
    ...counts,
  });

describe('rules of what to keep', () => {
  /** Keeps by rules. @returns the times kept, oldest first, of snapshots taken at some times. */
  function kept(times: readonly number[], rules: KeepRules): readonly number[] {
    const [group] = judge(
      times.map((time) => snapshotAt(time)),
      rules,
    );
    return group!.verdicts
      .filter(({ reasons }) => reasons.length > 0)
      .map(({ snapshot }) => snapshot.timeMs)
      .reverse();
  }

  it('the last ones', () => {
    const times = [local(1, 1), local(1, 2), local(1, 3)];
    expect(kept(times, { last: 2 })).to.deep.equal(times.slice(1));
    expect(kept(times, { last: 9 })).to.deep.equal(times);
  });

  it('the newest of each of the last days that have any', () => {
    const times = [local(1, 1, 8), local(1, 1, 20), local(1, 5, 0), local(1, 5, 23), local(1, 9, 1)];
    expect(kept(times, { daily: 2 })).to.deep.equal([times[3], times[4]]);
    expect(kept(times, { daily: 3 })).to.deep.equal([times[1], times[3], times[4]]);
  });

  it('weeks from Monday, over the end of a month and of a year', () => {
    // 2026-11-30 is a Monday.
    const times = [local(11, 29), local(11, 30), local(12, 6), local(12, 7)];
    expect(kept(times, { weekly: 3 })).to.deep.equal([times[0], times[2], times[3]]);
    const [year] = [[new Date(2026, 11, 31).getTime(), new Date(2027, 0, 3).getTime()]];
    expect(kept(year, { weekly: 2 })).to.deep.equal([year[1]]);
    expect(kept(year, { monthly: 2 })).to.deep.equal(year);
  });

  it('all that are not much older than the newest, whatever time it is now', () => {
    const times = [local(1, 1), local(1, 8), local(1, 15)];
    expect(kept(times, { withinMs: 7 * 86_400_000 })).to.deep.equal(times.slice(1));
  });

  it('what any of several rules keeps, and why', () => {
    const times = [local(1, 1), local(2, 1), local(2, 2), local(2, 2, 13)];
    const [group] = judge(
      times.map((time) => snapshotAt(time)),
      { last: 1, daily: 2, monthly: 2 },
    );
    expect(group!.verdicts.map(({ reasons }) => reasons)).to.deep.equal([
      ['last', 'daily', 'monthly'],
      [],
      ['daily'],
      ['monthly'],
    ]);
  });

  it('each machine and each set of paths by itself', () => {
    const snapshots = [
      snapshotAt(local(1, 1), 'a'),
      snapshotAt(local(1, 2), 'b'),
      snapshotAt(local(1, 3), 'b', ['/x', '/y']),
      snapshotAt(local(1, 4), 'b', ['/y', '/x']),
    ];
    const groups = judge(snapshots, { last: 1 });
    expect(groups.map(({ host, verdicts }) => [host, verdicts.length])).to.deep.equal([
      ['a', 1],
      ['b', 1],
      ['b', 2],
    ]);
    const keptOnes = groups.flatMap(({ verdicts }) => verdicts).filter(({ reasons }) => reasons.length > 0);
    expect(keptOnes.map(({ snapshot }) => snapshot)).to.have.members([
      snapshots[0],
      snapshots[1],
      snapshots[3],
    ]);
  });

  it('a day is one of the calendar of this machine', () => {
    expect(localCalendar(local(3, 4, 0)).daily).to.equal(localCalendar(local(3, 4, 23)).daily);
    expect(localCalendar(local(3, 4, 23)).daily).not.to.equal(localCalendar(local(3, 5, 0)).daily);
  });
});
