/** Child processes: what they say, and how they end. */
import { spawn } from 'node:child_process';

/** How a process ended, and what it said. */
export interface Ended {
  /** The exit code; null when a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A process that was started here. */
export interface Running {
  readonly pid: number;
  /** What it has said so far. */
  readonly stdout: () => string;
  readonly stderr: () => string;
  readonly ended: Promise<Ended>;
  /** Sends a signal; one that has ended gets none. */
  readonly kill: (signal: NodeJS.Signals) => void;
}

/** Starts a program with its arguments. Its input is empty. @throws Error when there is no such program. */
export async function start(
  [program = '', ...args]: readonly string[],
  options: { readonly env: NodeJS.ProcessEnv; readonly cwd: string },
): Promise<Running> {
  const child = spawn(program, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  let alive = true;
  const said = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      said[name] += text;
    });
  }
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject);
    // Later than exit: everything it said has arrived.
    child.on('close', (code, signal) => {
      alive = false;
      resolve({ code, signal, ...said });
    });
  });
  const pid = child.pid;
  if (pid === undefined) {
    await ended;
    throw new Error(`${program} could not be started`);
  }
  return {
    pid,
    stdout: () => said.stdout,
    stderr: () => said.stderr,
    ended,
    kill: (signal) => {
      if (alive) child.kill(signal);
    },
  };
}

/** Asks again and again until the answer is yes. @throws Error that names what was waited for when it takes too long. */
export async function until(
  what: string,
  isSo: () => boolean | Promise<boolean>,
  patienceMs = 120_000,
): Promise<void> {
  const since = performance.now();
  while (!(await isSo())) {
    if (performance.now() - since > patienceMs)
      throw new Error(`waited ${patienceMs} ms in vain for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
