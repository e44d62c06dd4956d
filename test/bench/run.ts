/** Runs benchmarks by name: `npm run --silent bench -- NAME`. The last line of stdout is a JSON object of figures. */

/** A benchmark's module. */
interface Benchmark {
  /** Measures, and returns the figures. */
  readonly run: () => Promise<Record<string, unknown>>;
}

/** Every benchmark, with what it measures. */
const benchmarks: Readonly<Record<string, string>> = {
  rpc: 'small requests a second over one TLS connection, 64 in flight',
  put: 'MiB/s of 1 MiB blocks put over TLS, verified and synced to disk',
  archive: 'MiB/s from bytes to sealed blocks in memory, in one thread and with threads that help',
  backup: 'first backups and what they store, beside restic and Borg: [ROUNDS]',
  again: 'the same again, nothing changed, beside restic and Borg: [ROUNDS]',
  restore: 'getting it back, beside restic and Borg: [ROUNDS]',
  repair: 'one of five peers is lost: until all copies are there again: [MiB A PEER]',
  join: 'a sixth peer comes: until it has its share: [MiB A PEER]',
  reconcile: 'what it costs to find the keys in which two holders differ: [KEYS] [DIFFERENCES]',
  memory: 'peak resident memory with one large file: [MiB] [PEERS]',
};

async function main(name: string | undefined): Promise<number> {
  const names = name === 'all' ? Object.keys(benchmarks) : [name];
  for (const each of names) {
    if (each === undefined || !Object.hasOwn(benchmarks, each)) {
      const known = Object.entries(benchmarks).map(([known, what]) => `  ${known.padEnd(10)} ${what}`);
      process.stderr.write(
        `usage: npm run --silent bench -- NAME\n${known.join('\n')}\n  all        each in turn\n`,
      );
      return 2;
    }
    const { run } = (await import(`./${each}.js`)) as Benchmark;
    process.stdout.write(`${JSON.stringify({ benchmark: each, ...(await run()) })}\n`);
  }
  return 0;
}

process.exitCode = await main(process.argv[2]);
