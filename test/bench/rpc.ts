/**
 * Small requests over one TLS connection: a client here, a peer in a process of its own, 64 pings in flight.
 *
 * The figure is the median of a few rounds, after one to warm up.
 */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import { systemClock } from '../../src/base/clock.js';
import { silentLogger } from '../../src/base/log.js';
import type { TlsCredentials } from '../../src/wire/tls.js';
import { createTlsTransport } from '../../src/wire/tls.js';
import type { Transport } from '../../src/wire/transport.js';
import { identify, issue, makeAuthority } from '../wire/certificates.js';
import { dispatchWith } from '../wire/helpers.js';

const inFlight = 64;
const rounds = 5;
const roundMs = 1500;

/** Requests answered in one round, a second. */
async function measure(client: Transport, address: string): Promise<number> {
  const startedMs = performance.now();
  let answered = 0;
  const lane = async (): Promise<void> => {
    while (performance.now() - startedMs < roundMs) {
      await client.call({ address }, 'ping', {});
      answered += 1;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
  return Math.round((answered / (performance.now() - startedMs)) * 1000);
}

/** Measures `requestsPerSecond`. */
export async function run(): Promise<Record<string, unknown>> {
  const authority = await makeAuthority();
  const server = await issue(authority, 'peer server');
  const user = await issue(authority, 'user client');
  const child = fork(fileURLToPath(import.meta.url), ['--serve']);
  const client = createTlsTransport({
    clock: systemClock,
    log: silentLogger,
    credentials: user.credentials,
    identify,
  });
  try {
    child.send(server.credentials);
    const address = await new Promise<string>((resolve, reject) => {
      child.once('message', (message) => resolve(message as string));
      child.once('exit', (code) => reject(new Error(`the peer of the benchmark ended with ${code}`)));
    });
    await measure(client, address);
    const figures: number[] = [];
    for (let round = 0; round < rounds; round += 1) figures.push(await measure(client, address));
    const sorted = [...figures].sort((a, b) => a - b);
    return {
      requestsPerSecond: sorted[Math.floor(rounds / 2)],
      rounds: figures,
      inFlight,
      goalPerSecond: 100_000,
    };
  } finally {
    await client.close();
    child.kill();
  }
}

/** The peer's side, in a process of its own. */
function serve(credentials: TlsCredentials): void {
  // It ends with the benchmark, however that ends.
  process.once('disconnect', () => process.exit());
  const transport = createTlsTransport({ clock: systemClock, log: silentLogger, credentials, identify });
  const pong = Promise.resolve({ response: {} as never });
  transport
    .listen(
      '127.0.0.1:0',
      dispatchWith(() => pong),
    )
    .then(
      ({ address }) => process.send?.(address),
      (error: unknown) => {
        process.stderr.write(`${String(error)}\n`);
        process.exitCode = 1;
        process.disconnect();
      },
    );
}

if (process.argv[2] === '--serve')
  process.once('message', (credentials) => serve(credentials as TlsCredentials));
