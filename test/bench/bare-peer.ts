/**
 * The least that a peer could do, as a yardstick for `put`: takes blocks of one size over TLS, and of each computes the
 * hash, writes a file, syncs it, renames it and answers one byte. No index, no frames, no bounds, no certificates checked.
 */
import { open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { createServer } from 'node:tls';

import { hashToId } from '../../src/ring/identifier.js';

/** What the parent sends first. */
export interface BarePeerOptions {
  readonly directory: string;
  readonly blockBytes: number;
  readonly key: string;
  readonly cert: string;
}

/** Serves until the parent goes away. Tells it the port. */
function serve({ directory, blockBytes, key, cert }: BarePeerOptions): void {
  process.once('disconnect', () => process.exit());
  const server = createServer({ key, cert, minVersion: 'TLSv1.3' }, (socket) => {
    let block = Buffer.allocUnsafeSlow(blockBytes);
    let filled = 0;
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      for (let at = 0; at < chunk.length;) {
        const take = Math.min(chunk.length - at, blockBytes - filled);
        block.set(chunk.subarray(at, at + take), filled);
        filled += take;
        at += take;
        if (filled < blockBytes) continue;
        void keep(directory, block).then(() => socket.write(Buffer.of(1)));
        block = Buffer.allocUnsafeSlow(blockBytes);
        filled = 0;
      }
    });
  });
  server.listen(0, '127.0.0.1', () => process.send?.((server.address() as { port: number }).port));
}

async function keep(directory: string, block: Uint8Array): Promise<void> {
  const path = join(directory, hashToId(block));
  const file = await open(`${path}.tmp`, 'wx');
  await file.write(block);
  await file.datasync();
  await file.close();
  await rename(`${path}.tmp`, path);
}

process.once('message', (options) => serve(options as BarePeerOptions));
