/** `prune`: gives up what no snapshot needs any more. */
import { systemClock } from '../../base/clock.js';
import { limits } from '../../base/limits.js';
import { type Amount, prune } from '../../client/prune.js';
import { startProgress } from '../progress.js';
import type { Console } from '../run.js';
import { showCount, showDuration, showSize } from '../units.js';
import { type CommonArguments, withSession } from './context.js';

export interface PruneArguments extends CommonArguments {
  readonly dryRun: boolean;
  readonly withoutDevice: readonly string[];
}

/** Gives up, and says how much. */
export async function runPrune(args: PruneArguments, console: Console): Promise<void> {
  await withSession(args, console, async (session) => {
    const sinceMs = systemClock.monotonicMs();
    const isShown = args.progress && !args.quiet;
    const progress = startProgress('looking', isShown, systemClock, process.stderr, console.err, 'block');
    try {
      const summary = await prune(session, {
        dryRun: args.dryRun,
        withoutDevices: args.withoutDevice,
        progress: ({ blocks, bytes }) => progress.add({ files: blocks, bytes }),
      });
      progress.end();
      const { snapshots, needed, freed, spared } = summary;
      const ms = systemClock.monotonicMs() - sinceMs;
      if (args.json) {
        console.out(
          JSON.stringify({
            snapshots,
            neededBlocks: needed.blocks,
            neededBytes: needed.bytes,
            freedBlocks: freed.blocks,
            freedBytes: freed.bytes,
            sparedBlocks: spared.blocks,
            sparedBytes: spared.bytes,
            dryRun: args.dryRun,
            seconds: Math.round(ms) / 1000,
          }),
        );
        return;
      }
      if (args.quiet) return;
      const givenUp = args.dryRun ? 'would be given up' : 'given up';
      console.out(`${showAmount(freed)} ${givenUp}, in ${showDuration(ms)}`);
      console.out(`${showAmount(needed)} needed by ${showCount(snapshots, 'snapshot')} and their lists`);
      if (spared.blocks > 0) {
        const lease = `${limits.touchLeaseMs / 3_600_000} hours`;
        console.out(
          `${showAmount(spared)} not needed, but used within the last ${lease}: a later prune takes it`,
        );
      }
      if (freed.blocks > 0 && !args.dryRun)
        console.out('the peers keep in their trash what was given up, for as long as their policy says');
    } finally {
      progress.end();
    }
  });
}

function showAmount({ blocks, bytes }: Amount): string {
  return `${showCount(blocks, 'block')}, ${showSize(bytes)} a copy,`;
}
