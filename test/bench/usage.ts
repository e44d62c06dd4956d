/**
 * Loaded into a measured process before its own code (`node --import`): writes what the process has used into the file
 * that PEERSTORE_USAGE_FILE names, when it ends. The peak comes from /proc where there is one: what getrusage calls the
 * peak of a process includes that of the process which started it.
 */
import { readFileSync, writeFileSync } from 'node:fs';

/** What a process has used in its life. */
export interface Usage {
  /** The most memory that was resident. */
  readonly peakBytes: number;
  readonly cpuSeconds: number;
}

const path = process.env['PEERSTORE_USAGE_FILE'];
if (path !== undefined) {
  process.on('exit', () => {
    const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage();
    const usage: Usage = {
      peakBytes: 1024 * (peakKiB() ?? maxRSS),
      cpuSeconds: (userCPUTime + systemCPUTime) / 1e6,
    };
    writeFileSync(path, JSON.stringify(usage));
  });
}

function peakKiB(): number | undefined {
  try {
    const line = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'));
    return line === null ? undefined : Number(line[1]);
  } catch {
    return undefined; // not Linux
  }
}
