/** `check`: whether everything that the snapshots refer to is there. */
import { systemClock } from '../../base/clock.js';
import { toHex } from '../../base/bytes.js';
import { messageOf } from '../../base/errors.js';
import { chooseSnapshot, loadCatalogs } from '../../client/catalog.js';
import { check } from '../../client/check.js';
import { type ExitCode, exitCodes } from '../exit-codes.js';
import { startProgress } from '../progress.js';
import type { Console } from '../run.js';
import { showCount, showDuration } from '../units.js';
import { type CommonArguments, withSession } from './context.js';

export interface CheckArguments extends CommonArguments {
  readonly readData: boolean;
  readonly snapshot: string | undefined;
}

/** Checks, names what is missing (with `--json`, also as an object each), and exits with 7 if anything is. */
export async function runCheck(args: CheckArguments, console: Console): Promise<ExitCode> {
  return withSession(args, console, async (session) => {
    const since = systemClock.monotonicMs();
    const { snapshots: all, unreadable } = await loadCatalogs(session);
    const snapshots = args.snapshot === undefined ? all : [chooseSnapshot(all, args.snapshot)];
    for (const { device, error } of unreadable) {
      const name = toHex(device).slice(0, 12);
      console.err(`peerstore-client: the snapshots of device ${name} cannot be listed: ${messageOf(error)}`);
    }
    const progress = startProgress(
      'checking',
      args.progress && !args.quiet,
      systemClock,
      process.stderr,
      console.err,
    );
    try {
      const summary = await check(session, {
        snapshots,
        readData: args.readData,
        report: ({ snapshot, path, message }) => {
          progress.line(`peerstore-client: snapshot ${snapshot.slice(0, 12)}: ${path}: ${message}`);
          if (args.json) console.out(JSON.stringify({ snapshot, path, message }));
        },
        progress: progress.add,
      });
      progress.end();
      const findings = summary.findings + unreadable.length;
      const ms = systemClock.monotonicMs() - since;
      if (args.json) console.out(JSON.stringify({ ...summary, findings, seconds: Math.round(ms) / 1000 }));
      else if (!args.quiet) {
        const read = args.readData ? ', all read' : '';
        const what = `${showCount(summary.snapshots, 'snapshot')}, ${showCount(summary.files, 'file')}, ${showCount(summary.blocks, 'block')}${read}`;
        console.out(
          findings === 0
            ? `${what}: everything is there (${showDuration(ms)})`
            : `${what}: ${showCount(findings, 'problem')}, named above`,
        );
      }
      return findings === 0 ? exitCodes.done : exitCodes.damaged;
    } finally {
      progress.end();
    }
  });
}
