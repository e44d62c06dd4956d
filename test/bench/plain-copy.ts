/** What repair is held against: one process reads a file, and another one writes it, over TLS, and nothing else. */
import { fork } from 'node:child_process';
import { createReadStream, createWriteStream } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { finished, pipeline } from 'node:stream/promises';
import { connect, createServer } from 'node:tls';
import { fileURLToPath } from 'node:url';

import { issue, makeAuthority } from '../wire/certificates.js';
import type { TlsCredentials } from '../../src/wire/tls.js';
import { writePseudoRandom } from './sources.js';

const rounds = 5;
const chunkBytes = 1024 * 1024;

interface Order {
  readonly credentials: TlsCredentials;
  readonly target: string;
}

/** The median of a few copies of a file, in MiB a second; each is on disk when it counts. */
export async function plainMibPerSecond(path: (name: string) => string, sizeMiB: number): Promise<number> {
  const { credentials } = await issue(await makeAuthority(), 'peer copy');
  const source = path('plain-source.bin');
  await writePseudoRandom(source, sizeMiB);
  const figures: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const receiver = fork(fileURLToPath(import.meta.url), ['--receive']);
    const ended = new Promise<number | null>((resolve) => receiver.once('exit', resolve));
    receiver.send({ credentials, target: path(`plain-target-${round}.bin`) } satisfies Order);
    const port = await new Promise<number>((resolve) =>
      receiver.once('message', (message) => resolve(message as number)),
    );
    const sinceMs = performance.now();
    const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
    await pipeline(createReadStream(source, { highWaterMark: chunkBytes }), socket);
    const code = await ended;
    if (code !== 0) throw new Error(`the receiver of a plain copy ended with ${code}`);
    figures.push((sizeMiB / (performance.now() - sinceMs)) * 1000);
  }
  return Math.round(figures.sort((a, b) => a - b)[Math.floor(rounds / 2)] ?? 0);
}

/** The other process: takes one file, and ends when that is on disk. */
function receive({ credentials: { privateKeyPem, certificatePem }, target }: Order): void {
  const server = createServer(
    { key: privateKeyPem, cert: certificatePem, minVersion: 'TLSv1.3' },
    (socket) => {
      const file = createWriteStream(target, { flush: true, highWaterMark: chunkBytes });
      socket.pipe(file);
      void finished(file).then(() => process.exit(0));
    },
  );
  server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
}

if (process.argv[2] === '--receive') process.once('message', (order) => receive(order as Order));
