/** Running a peer: from a data path and options to a peer that serves until it is told to stop. */
import { mkdir } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { join, resolve } from 'node:path';

import { systemClock } from '../base/clock.js';
import { messageOf, PeerStoreError } from '../base/errors.js';
import { lockFile, type FileLock } from '../base/files.js';
import { createLogger, type LogFormat, type Logger, type LogLevel } from '../base/log.js';
import { systemRandom } from '../base/random.js';
import { certificateToPem, identify } from '../identity/certificate.js';
import { enrollThrough, strangerTransport } from '../identity/enroll-call.js';
import { answerEnroll } from '../identity/enrollment.js';
import { decodeInvite, encodeInvite } from '../identity/invite.js';
import { InviteLedger } from '../identity/invite-ledger.js';
import {
  foundPeerHome,
  loadPeerHome,
  type PeerHome,
  preparePeerKey,
  savePeerCertificate,
} from '../identity/peer-home.js';
import { serveAdmin } from '../node/admin.js';
import { defaultPolicy, Node } from '../node/node.js';
import { type PeerMemory, peerMemoryFile } from '../node/remembered-peers.js';
import { scrubMemoryFile } from '../node/repair/scrubber.js';
import { openDiskStore } from '../store/disk.js';
import { formatAddress, parseAddress } from '../wire/address.js';
import { createTlsTransport } from '../wire/tls.js';
import type { Endpoint } from '../wire/transport.js';
import { pinnedKey } from './pinned-key.js';
import type { Console } from './run.js';
import { serverStatus } from './server-status.js';
import { untilStopped } from './signals.js';

export interface ServeOptions {
  readonly address: string;
  readonly dataPath: string;
  readonly invite: string | undefined;
  readonly initialPeerAddress: string | undefined;
  readonly initialPeerKeyFile: string | undefined;
  readonly advertise: string | undefined;
  readonly zone: string | undefined;
  readonly capacityBytes: number | undefined;
  readonly repairAfterMs: number;
  readonly scrubEveryMs: number;
  readonly repairBytesPerS: number | undefined;
  readonly workers: number;
  readonly queueLength: number;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
}

const lockName = 'lock';
const invitesName = 'invites.json';
const rememberedName = 'peers';
const scrubName = 'scrub';

const clock = systemClock;
const random = systemRandom;

/**
 * Runs a peer. Resolves when it has stopped in good order.
 * @throws PeerStoreError USAGE, IN_USE, NOT_ADMITTED, UNREACHABLE, NO_SPACE, IO: before it serves.
 */
export async function serve(options: ServeOptions, console: Console): Promise<void> {
  const log = createLogger({ level: options.logLevel, format: options.logFormat, clock, write: console.err });
  const dataPath = resolve(options.dataPath);
  parseAddress(options.address);
  if (options.advertise !== undefined) parseAddress(options.advertise);
  const pinnedKeys = pinnedKey(options.initialPeerAddress, options.initialPeerKeyFile);
  const lock = await takeDataPath(dataPath);
  try {
    const memory = peerMemoryFile(join(dataPath, rememberedName), random, log);
    const { home, entries } = await enterRing(dataPath, options, memory, log);
    const ledger =
      home.ringAuthority && (await InviteLedger.open(join(dataPath, invitesName), { clock, random }));
    const transport = createTlsTransport({
      clock,
      log,
      credentials: {
        privateKeyPem: home.key.toPem(),
        certificatePem: certificateToPem(home.certificate),
        authorityPem: certificateToPem(home.authority.der),
      },
      identify: (leafDer) => identify(leafDer, home.authority, clock.nowMs()),
      ...(pinnedKeys === undefined ? {} : { pinnedKeys }),
    });
    const { capacityBytes, zone, repairBytesPerS, repairAfterMs, scrubEveryMs } = options;
    const store = await openDiskStore({
      path: dataPath,
      clock,
      random,
      log,
      ...(capacityBytes === undefined ? {} : { capacityBytes }),
    });
    try {
      const [id] = home.identity.ids;
      if (id === undefined) throw new Error('broken rule: a certified peer has a place');
      const { ringAuthority, authority } = home;
      const node = await Node.start(
        {
          id,
          machine: home.identity.machine,
          listenAddress: options.address,
          advertise: (listening) => advertised(options, listening),
          transport,
          store,
          memory,
          scrubMemory: scrubMemoryFile(join(dataPath, scrubName), random, log),
          policy: { ...defaultPolicy, repairAfterMs, scrubEveryMs },
          clock,
          random,
          log,
          pool: { workers: options.workers, queueLength: options.queueLength },
          ...(zone === undefined ? {} : { zone }),
          ...(repairBytesPerS === undefined ? {} : { repairBytesPerS }),
          ...(ringAuthority === undefined || ledger === undefined
            ? {}
            : {
                admission: {
                  authority: authority.der,
                  admit: (request) => answerEnroll({ authority: ringAuthority, ledger }, request),
                },
              }),
        },
        entries,
      );
      try {
        const drained = new AbortController();
        const admin = await serveAdmin(dataPath, log, async (command, args) => {
          switch (command) {
            case 'status':
              return serverStatus(node.status(), await node.repairStatus(), node.scrubProgress);
            case 'drain':
              await node.drain();
              // After the answer, with which the command ends.
              setImmediate(() => drained.abort());
              return undefined;
            case 'invite':
              return makeInvite(home, ledger, node.self.address, args);
            default:
              throw new PeerStoreError('USAGE', `this peer does not know the command ${command}`);
          }
        });
        console.out(`ready ${node.self.address} ${node.self.id}`);
        const reason = await untilStopped(log, drained.signal);
        log.info('stopping: finishing what is in hand and telling the neighbours', { reason });
        await admin.close();
      } finally {
        await node.stop();
      }
    } finally {
      await store.close();
    }
  } finally {
    await lock.release();
  }
}

/** Makes the data path if need be, and takes it for this process alone. */
async function takeDataPath(dataPath: string): Promise<FileLock> {
  try {
    await mkdir(dataPath, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new PeerStoreError('USAGE', `cannot use the data path ${dataPath}: ${messageOf(error)}`, {
      cause: error,
    });
  }
  let lock: FileLock | undefined;
  try {
    lock = await lockFile(join(dataPath, lockName));
  } catch (error) {
    throw new PeerStoreError('USAGE', `cannot use the data path ${dataPath}: ${messageOf(error)}`, {
      cause: error,
    });
  }
  if (lock === undefined) {
    throw new PeerStoreError(
      'IN_USE',
      `the data path ${dataPath} is in use by another peer; give each peer its own`,
    );
  }
  return lock;
}

/** The peer's identity, made or joined if need be, and whom to enter the ring by. */
async function enterRing(
  dataPath: string,
  options: ServeOptions,
  memory: PeerMemory,
  log: Logger,
): Promise<{ home: PeerHome; entries: readonly Endpoint[] }> {
  const tools = { clock, random };
  const named = options.initialPeerAddress === undefined ? [] : [{ address: options.initialPeerAddress }];
  const invite = options.invite === undefined ? undefined : decodeInvite(options.invite);
  const existing = await loadPeerHome(dataPath, tools);
  if (existing !== undefined) {
    if (invite !== undefined) log.info('this data path belongs to a ring already; the invite is not used');
    return { home: existing, entries: named };
  }
  if (invite === undefined) {
    if (named.length > 0) {
      throw new PeerStoreError(
        'NOT_ADMITTED',
        'joining a ring takes an invite: get one from "peerstore-server invite --peer" there, and give it with --join',
      );
    }
    const home = await foundPeerHome(dataPath, tools);
    log.info('founded a new ring', { dataPath });
    return { home, entries: [] };
  }
  if (invite.kind !== 'peer') {
    throw new PeerStoreError(
      'NOT_ADMITTED',
      'this invite is for a user; get one with "peerstore-server invite --peer"',
    );
  }
  const key = await preparePeerKey(dataPath, random);
  const pinnedKeys = pinnedKey(options.initialPeerAddress, options.initialPeerKeyFile);
  const transport = strangerTransport(invite.fingerprint, {
    clock,
    log,
    ...(pinnedKeys === undefined ? {} : { pinnedKeys }),
  });
  try {
    const addresses = [...named.map(({ address }) => address), ...invite.addresses];
    const enrolled = await enrollThrough(transport, addresses, invite, { key }, clock.nowMs());
    // The way back into the ring first: with the certificate the invite is not needed any more.
    await memory.save(enrolled.peers.map((peer) => ({ peer, lastSeenMs: clock.nowMs() })));
    const home = await savePeerCertificate(dataPath, enrolled.certificate, enrolled.authority, tools);
    log.info('was admitted to the ring', { through: enrolled.through });
    return { home, entries: enrolled.peers };
  } finally {
    await transport.close();
  }
}

async function makeInvite(
  home: PeerHome,
  ledger: InviteLedger | undefined,
  address: string,
  args: Readonly<Record<string, unknown>>,
): Promise<string> {
  if (ledger === undefined) {
    throw new PeerStoreError(
      'FORBIDDEN',
      "this peer cannot invite: the ring's authority key is on the peer that founded the ring; ask there",
    );
  }
  const { user, expiresMs } = args;
  const name = typeof user === 'string' ? user : undefined;
  if (typeof expiresMs !== 'number')
    throw new PeerStoreError('USAGE', 'an invite needs a time when it expires');
  const kind = name === undefined ? 'peer' : 'user';
  const expiresAtMs = clock.nowMs() + expiresMs;
  const secret = await ledger.create(kind, name, expiresAtMs);
  return encodeInvite({
    kind,
    addresses: [address],
    fingerprint: home.authority.fingerprint,
    secret,
    expiresAtMs,
    ...(name === undefined ? {} : { name }),
  });
}

/** What to tell others: what the operator said, else where it listens, by this machine's first address in a network. */
function advertised(options: ServeOptions, listening: string): string {
  const real = parseAddress(listening);
  if (options.advertise !== undefined) {
    const wanted = parseAddress(options.advertise);
    return formatAddress({ host: wanted.host, port: wanted.port === 0 ? real.port : wanted.port });
  }
  const { host } = parseAddress(options.address);
  if (host !== '' && host !== '0.0.0.0' && host !== '::') return formatAddress({ host, port: real.port });
  const own = Object.values(networkInterfaces())
    .flat()
    .find((one) => one !== undefined && one.family === 'IPv4' && !one.internal);
  return formatAddress({ host: own?.address ?? '127.0.0.1', port: real.port });
}
