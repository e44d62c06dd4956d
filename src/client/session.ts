/** What every use case of the client stands on: the user's identity, the ring as it is seen, and what is read and written through it. */
import { setMaxListeners } from 'node:events';

import type { Clock } from '../base/clock.js';
import { limits } from '../base/limits.js';
import type { Logger } from '../base/log.js';
import type { Random } from '../base/random.js';
import { ArchiveReader } from '../archive/reader.js';
import { loadCompressor, type Compressor } from '../archive/compress.js';
import { type ArchiveSecrets, deriveArchiveSecrets } from '../archive/secrets.js';
import type { SigningKey } from '../identity/keys.js';
import type { Endpoint, ResponseOf, Transport } from '../wire/index.js';
import { bringingBack } from './bringing-back.js';
import { Registration } from './profile.js';
import { RemoteBlocks } from './remote-blocks.js';
import { RemoteOwnership } from './remote-ownership.js';
import { RemoteRecords } from './remote-records.js';
import { isBusy, retrying } from './retry.js';
import { RingView } from './ring-view.js';
import { SeenRecords } from './seen-records.js';

/** Who the user is, unlocked. */
export interface UserKeys {
  readonly name: string;
  /** The user's own key: signs what all devices share. */
  readonly user: SigningKey;
  /** This device's key: the key of its connections, and the writer of its records. */
  readonly device: SigningKey;
  /** 32 bytes from which the archive's secrets come. */
  readonly archiveSecret: Uint8Array;
}

export interface SessionOptions {
  readonly keys: UserKeys;
  /** What people know this device by, should it not be in the user's profile yet. By default the user's name. */
  readonly deviceName?: string;
  /** What this machine has seen of the user's records before. By default nothing. */
  readonly seen?: SeenRecords;
  readonly transport: Transport;
  /** Addresses to enter by, in order of preference. */
  readonly entries: readonly Endpoint[];
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly signal?: AbortSignal;
  /** How long a request is tried again while peers are busy or the ring is in motion. */
  readonly retryForMs?: number;
}

/** An open session. */
export interface Session {
  readonly keys: UserKeys;
  readonly transport: Transport;
  readonly view: RingView;
  readonly blocks: RemoteBlocks;
  readonly records: RemoteRecords;
  readonly seen: SeenRecords;
  readonly registration: Registration;
  readonly ownership: RemoteOwnership;
  readonly secrets: ArchiveSecrets;
  readonly compressor: Compressor;
  /** Fetches what is asked for and no more. */
  readonly reader: ArchiveReader;
  /** Fetches whole packs: for reading much of what is there. */
  readonly bulkReader: ArchiveReader;
  /** What the first peer that answered said of itself and the ring's policy. */
  readonly ring: ResponseOf<'status'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly signal: AbortSignal | undefined;
}

/**
 * Opens a session: reaches the ring and learns its policy.
 * @throws PeerStoreError UNREACHABLE when no peer answers, NOT_ADMITTED when the ring refuses the user,
 *   BUSY beyond the retries, CANCELLED.
 */
export async function openSession(options: SessionOptions): Promise<Session> {
  const { keys, transport, entries, clock, random, log, signal, deviceName = keys.name } = options;
  const seen = options.seen ?? SeenRecords.inMemory();
  // Every call in hand listens to it: that is no leak.
  if (signal !== undefined) setMaxListeners(0, signal);
  const until = signal === undefined ? {} : { signal };
  const retryForMs = options.retryForMs ?? limits.clientRetryMs;
  const view = new RingView({ transport, clock, random, entries, ...until });
  // A ring that cannot be reached at all is said at once; a busy one is waited for.
  const ring = await retrying(
    { clock, random, retryForMs, ...until },
    async () => {
      await view.refresh();
      return view.askAny('status', {});
    },
    isBusy,
  );
  const remote = { transport, view, clock, random, log, retryForMs, ...until };
  const blocks = new RemoteBlocks(remote);
  const compressor = await loadCompressor();
  const secrets = deriveArchiveSecrets(keys.archiveSecret);
  const reading = {
    source: bringingBack(blocks, new RemoteBlocks({ ...remote, retryForMs: 0 })),
    compressor,
    secrets,
  };
  return {
    keys,
    transport,
    view,
    blocks,
    records: new RemoteRecords({ ...remote, replicas: ring.replicas, seen }),
    seen,
    registration: new Registration(deviceName),
    ownership: new RemoteOwnership(remote),
    secrets,
    compressor,
    reader: new ArchiveReader(reading),
    bulkReader: new ArchiveReader({ ...reading, fetchWhole: true }),
    ring,
    clock,
    random,
    log,
    signal,
  };
}
