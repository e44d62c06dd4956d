/**
 * Blocks of 1 MiB put from a client here to a real peer in a process of its own: over TLS, checked against their hash
 * and synced to disk before they are acknowledged. Beside each round runs one against the least that a peer could do
 * (bare-peer.ts), on the same disk and in the same minute: the machine's mood is in both.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { connect } from 'node:tls';
import { fileURLToPath } from 'node:url';

import { systemClock } from '../../src/base/clock.js';
import { silentLogger } from '../../src/base/log.js';
import { systemRandom } from '../../src/base/random.js';
import { certificateToPem, identify } from '../../src/identity/certificate.js';
import { readKeyFile } from '../../src/identity/key-file.js';
import { hashToId, type Id } from '../../src/ring/identifier.js';
import { createTlsTransport, type TlsCredentials } from '../../src/wire/tls.js';
import type { Transport } from '../../src/wire/transport.js';
import type { BarePeerOptions } from './bare-peer.js';
import { inLab, LocalRing, median } from './programs.js';

const MiB = 1024 * 1024;
const blocksARound = 256;
const rounds = 5;
const inFlight = 16;

interface Block {
  readonly id: Id;
  readonly bytes: Uint8Array;
}

/** Random blocks, no two of them alike. */
function randomBlocks(): readonly Block[] {
  return Array.from({ length: blocksARound }, () => {
    const bytes = systemRandom.bytes(MiB);
    return { id: hashToId(bytes), bytes };
  });
}

/** @returns MiB a second */
async function putAll(blocks: readonly Block[], put: (block: Block) => Promise<unknown>): Promise<number> {
  const since = performance.now();
  const rest = blocks.values();
  const lane = async (): Promise<void> => {
    for (const block of rest) await put(block);
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
  return blocks.length / ((performance.now() - since) / 1000);
}

/** Measures `putMiBs`, and the yardstick's `bareMiBs`. */
export async function run(): Promise<Record<string, unknown>> {
  return inLab(async (lab) => {
    const ring = await LocalRing.start(lab, 1);
    const to = { address: ring.peers[0]?.address ?? '' };
    const { transport, credentials } = await memberTransport(ring.keyFile);
    try {
      const bare = await BarePeer.start(lab.path('bare'), credentials);
      try {
        const put = ({ id, bytes }: Block) => transport.call(to, 'postBlock', { id }, { body: bytes });
        await putAll(randomBlocks(), put);
        await bare.round(randomBlocks());
        const puts: number[] = [];
        const bares: number[] = [];
        for (let round = 0; round < rounds; round += 1) {
          puts.push(Math.round(await putAll(randomBlocks(), put)));
          bares.push(Math.round(await bare.round(randomBlocks())));
        }
        return {
          putMiBs: median(puts),
          bareMiBs: median(bares),
          share: Math.round((100 * median(puts)) / median(bares)) / 100,
          rounds: puts,
          bareRounds: bares,
          inFlight,
          goalMiBs: 250,
        };
      } finally {
        bare.stop();
      }
    } finally {
      await transport.close();
    }
  });
}

async function memberTransport(
  keyFile: string,
): Promise<{ transport: Transport; credentials: TlsCredentials }> {
  const { membership, device } = await readKeyFile(keyFile, undefined);
  if (membership === undefined) throw new Error('the user of the benchmark is not admitted');
  const { certificate, authority } = membership;
  const credentials = {
    privateKeyPem: device.toPem(),
    certificatePem: certificateToPem(certificate),
    authorityPem: certificateToPem(authority.der),
  };
  const transport = createTlsTransport({
    clock: systemClock,
    log: silentLogger,
    credentials,
    identify: (leafDer) => identify(leafDer, authority, systemClock.nowMs()),
  });
  return { transport, credentials };
}

/** The yardstick. */
class BarePeer {
  private constructor(
    private readonly child: ReturnType<typeof fork>,
    private readonly port: number,
  ) {}

  static async start(directory: string, credentials: TlsCredentials): Promise<BarePeer> {
    await mkdir(directory);
    const child = fork(fileURLToPath(new URL('./bare-peer.js', import.meta.url)));
    const options: BarePeerOptions = {
      directory,
      blockBytes: MiB,
      key: credentials.privateKeyPem,
      cert: credentials.certificatePem,
    };
    child.send(options);
    const [port] = (await once(child, 'message')) as [number];
    return new BarePeer(child, port);
  }

  async round(blocks: readonly Block[]): Promise<number> {
    const socket = connect({ host: '127.0.0.1', port: this.port, rejectUnauthorized: false });
    await once(socket, 'secureConnect');
    const waiting: (() => void)[] = [];
    socket.on('data', (answers) => {
      for (const _ of answers) waiting.shift()?.();
    });
    try {
      return await putAll(
        blocks,
        ({ bytes }) =>
          new Promise<void>((resolve) => {
            waiting.push(resolve);
            socket.write(bytes);
          }),
      );
    } finally {
      socket.destroy();
    }
  }

  stop(): void {
    this.child.kill();
  }
}
