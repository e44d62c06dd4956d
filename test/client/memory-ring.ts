/** A ring of real peers in one process: network and stores in memory, with faults on demand. */
import { mkdirSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';

import { sha256, utf8 } from '../../src/base/bytes.js';
import { systemClock } from '../../src/base/clock.js';
import { silentLogger } from '../../src/base/log.js';
import { nodeFileSystem } from '../../src/base/node-filesystem.js';
import { seededRandom } from '../../src/base/random.js';
import { MemoryChunkIndex } from '../../src/archive/ports.js';
import { backup, type BackupOptions, type BackupSummary } from '../../src/client/backup.js';
import type { BackupCache } from '../../src/client/backup-cache.js';
import { chooseSnapshot, loadSnapshots } from '../../src/client/catalog.js';
import type { Problem } from '../../src/client/problem.js';
import { registerDevice } from '../../src/client/profile.js';
import { restore, type RestoreRequest } from '../../src/client/restore.js';
import type { RestoreSummary } from '../../src/client/restore-files.js';
import { openSession, type Session, type SessionOptions } from '../../src/client/session.js';
import { SigningKey } from '../../src/identity/keys.js';
import { deriveUserKeys } from '../../src/identity/user-secret.js';
import { Node } from '../../src/node/node.js';
import { defaultIntervals, type UpkeepIntervals } from '../../src/node/upkeep.js';
import { hashToId, type Id } from '../../src/ring/identifier.js';
import { createMemoryStore } from '../../src/store/memory.js';
import type { Store } from '../../src/store/store.js';
import type { UserIdentity } from '../../src/wire/identity.js';
import { type Fault, type MemoryMessage, MemoryNetwork } from '../../src/wire/memory.js';
import type { Transport } from '../../src/wire/transport.js';
import type { World } from '../sim/world.js';

/** Quick, so that a ring is in order soon after a change. */
const intervals: UpkeepIntervals = {
  ...defaultIntervals,
  stabilize: { shortestMs: 40, longestMs: 40 },
  fixFingers: { shortestMs: 200, longestMs: 200 },
  lookAround: { shortestMs: 500, longestMs: 500 },
};

/** A store that does what a failing disk does. */
export class FaultyStore {
  readonly inner: Store;
  /** Blocks that are gone, as if their files had been removed. */
  readonly lost = new Set<Id>();
  /** Blocks that come with every byte turned over, whole or in part, also when they are to be checked first. */
  readonly garbled = new Set<Id>();
  readonly puts: Id[] = [];
  /** Called before each put; what it throws is the put's failure. */
  beforePut: (id: Id) => Promise<void> | void = () => undefined;
  readonly store: Store;

  constructor() {
    const inner = createMemoryStore({ clock: systemClock });
    this.inner = inner;
    this.store = {
      putBlock: async (id, bytes, owner, atMs) => {
        await this.beforePut(id);
        this.puts.push(id);
        return inner.putBlock(id, bytes, owner, atMs);
      },
      mergeBlock: async (id, state, bytes) => {
        if (bytes !== undefined) await this.beforePut(id);
        else if (this.lost.has(id)) return 'needs bytes';
        return inner.mergeBlock(id, state, bytes);
      },
      getBlock: async (id, options) => {
        if (this.lost.has(id)) return undefined;
        const found = await inner.getBlock(id, options);
        if (found === undefined || !this.garbled.has(id)) return found;
        return { ...found, bytes: found.bytes.map((byte) => byte ^ 1) };
      },
      touchBlocks: async (ids, owner, atMs) => {
        const present = await inner.touchBlocks(ids, owner, atMs);
        return present.map((isPresent, at) => isPresent && !this.lost.has(ids[at]!));
      },
      trashedBytes: (id) => inner.trashedBytes(id),
      blockInfo: (id) => inner.blockInfo(id),
      releaseBlock: (id, owner, atMs) => inner.releaseBlock(id, owner, atMs),
      emptyTrash: (beforeMs) => inner.emptyTrash(beforeMs),
      putRecord: (record) => inner.putRecord(record),
      getRecord: (id) => inner.getRecord(id),
      listKeys: (from, limit) => inner.listKeys(from, limit),
      fingerprint: (range) => inner.fingerprint(range),
      items: (range, limit) => inner.items(range, limit),
      itemOf: (id, kind) => inner.itemOf(id, kind),
      holdsItem: async (item) => !this.lost.has(item.id) && (await inner.holdsItem(item)),
      blockStates: (ids) => inner.blockStates(ids),
      dropItem: (item, options) => inner.dropItem(item, options),
      scrub: (from, budgetBytes) => inner.scrub(from, budgetBytes),
      lookAtDisk: () => inner.lookAtDisk(),
      usedBytes: (owner) => inner.usedBytes(owner),
      stats: () => inner.stats(),
      close: () => inner.close(),
    };
  }

  /** The ids of the blocks that it holds. */
  async blocks(): Promise<readonly Id[]> {
    const keys = await this.inner.listKeys('0'.repeat(64) as Id, 100_000);
    return keys.filter(({ kind }) => kind === 'block').map(({ id }) => id);
  }
}

export interface TestPeer {
  readonly node: Node;
  readonly disk: FaultyStore;
  readonly address: string;
}

export class MemoryRing {
  readonly network: MemoryNetwork;
  readonly peers: TestPeer[] = [];
  /** Asked for every message. */
  fault: (message: MemoryMessage) => Fault | undefined = () => undefined;
  readonly #transports: Transport[] = [];

  private constructor() {
    this.network = new MemoryNetwork({
      clock: systemClock,
      random: seededRandom(1),
      fault: (message) => this.fault(message),
    });
  }

  /** A ring of this many peers, each on a machine of its own, in order. */
  static async start(size: number): Promise<MemoryRing> {
    const ring = new MemoryRing();
    for (let at = 0; at < size; at += 1) await ring.#add(at);
    await ring.settled();
    return ring;
  }

  async #add(at: number): Promise<void> {
    const machine = hashToId(utf8(`machine ${at}`));
    const id = hashToId(utf8(`peer ${at}`));
    const disk = new FaultyStore();
    const address = `127.0.0.1:${4000 + at}`;
    const transport = this.network.transport({ kind: 'peer', ids: [id], machine }, address);
    this.#transports.push(transport);
    const node = await Node.start(
      {
        id,
        machine,
        listenAddress: address,
        advertise: (listening) => listening,
        transport,
        store: disk.store,
        memory: { load: () => Promise.resolve([]), save: () => Promise.resolve() },
        clock: systemClock,
        random: seededRandom(100 + at),
        log: silentLogger,
        pool: { workers: 4, queueLength: 256 },
        intervals,
      },
      this.peers.slice(0, 1).map(({ address: entry }) => ({ address: entry })),
    );
    this.peers.push({ node, disk, address });
  }

  /** Waits until every peer knows every other. */
  async settled(): Promise<void> {
    const all = this.peers.length - 1;
    for (let round = 0; round < 200; round += 1) {
      const states = this.peers.map(({ node }) => node.membership.state);
      if (states.every(({ successors, predecessor }) => successors.length === all && predecessor !== null))
        return;
      if (all === 0) return;
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
    throw new Error('the ring did not come into order');
  }

  /** Its machine stops: nothing comes from it or gets there. */
  freeze(at: number): void {
    this.network.pause(this.peers[at]!.address);
  }

  thaw(at: number): void {
    this.network.resume(this.peers[at]!.address);
  }

  /** Every block that any peer holds. */
  async blocks(): Promise<ReadonlySet<Id>> {
    const all = new Set<Id>();
    for (const { disk } of this.peers) for (const id of await disk.blocks()) all.add(id);
    return all;
  }

  /** A client. */
  async session(device: Device, options: Partial<SessionOptions> = {}): Promise<Session> {
    const session = await this.unregistered(device, options);
    await registerDevice(session, hostname());
    return session;
  }

  /** A client as after an init that was cut off before the device was registered. */
  unregistered(device: Device, options: Partial<SessionOptions> = {}): Promise<Session> {
    return openSession({
      keys: device.keys,
      transport: this.transport(device),
      entries: this.peers.map(({ address }) => ({ address })),
      clock: systemClock,
      random: seededRandom(7),
      log: silentLogger,
      retryForMs: 5_000,
      ...options,
    });
  }

  transport(device: Device): Transport {
    const transport = this.network.transport(device.identity);
    this.#transports.push(transport);
    return transport;
  }

  async stop(): Promise<void> {
    this.fault = () => undefined;
    for (const { address } of this.peers) this.network.resume(address);
    // First, so that nobody waits for an answer that was lost.
    for (const transport of this.#transports) await transport.close();
    await Promise.all(this.peers.map(({ node }) => node.stop()));
  }
}

/** A client of a ring in a simulated world. */
export function sessionIn(
  world: World,
  { keys, identity }: Device,
  options: Partial<SessionOptions> = {},
): Promise<Session> {
  return world.clock.run(
    openSession({
      keys,
      transport: world.network.transport(identity),
      entries: world.peers.map(({ address }) => ({ address })),
      clock: world.clock,
      random: seededRandom(7),
      log: silentLogger,
      ...options,
    }),
  );
}

/** A user's device: its keys, and what it proves to peers. */
export interface Device {
  readonly keys: SessionOptions['keys'];
  readonly identity: UserIdentity;
}

/** The same in every run; another number is another user, or another device of the same one. */
export function testDevice(user = 1, device = 1): Device {
  const { signing, archiveSecret } = deriveUserKeys(sha256(utf8(`user ${user}`)));
  const key = SigningKey.generate(seededRandom(1000 * user + device));
  const name = `user${user}`;
  return {
    keys: { name, user: signing, device: key, archiveSecret },
    identity: {
      kind: 'user',
      userId: hashToId(signing.publicKey),
      name,
      userKey: signing.publicKey,
      deviceKey: key.publicKey,
    },
  };
}

/** A cache that remembers chunks for one run, and no file. */
export function emptyCache(): BackupCache {
  return {
    chunks: new MemoryChunkIndex(),
    files: { get: () => undefined, set: () => undefined },
    close: () => Promise.resolve(),
  };
}

export interface BackupResult {
  readonly summary: BackupSummary;
  readonly problems: Problem[];
}

/** Backs up paths of the real file system. */
export async function backUp(
  session: Session,
  paths: readonly string[],
  options: Partial<BackupOptions> = {},
): Promise<BackupResult> {
  const problems: Problem[] = [];
  const summary = await backup(session, {
    fileSystem: nodeFileSystem,
    cache: emptyCache(),
    cwd: utf8('/'),
    paths: paths.map(utf8),
    host: 'host',
    tags: [],
    report: (problem) => problems.push(problem),
    ...options,
  });
  return { summary, problems };
}

export interface RestoreResult {
  readonly summary: RestoreSummary;
  readonly problems: Problem[];
}

/**
 * Restores into a directory.
 * @param what `SNAPSHOT` or `SNAPSHOT:PATH`
 */
export async function restoreTo(
  session: Session,
  what: string,
  target: string,
  options: Partial<RestoreRequest> = {},
): Promise<RestoreResult> {
  const [name = '', path = ''] = what.split(/:(.*)/s);
  const problems: Problem[] = [];
  mkdirSync(join(target, '..'), { recursive: true });
  const summary = await restore(session, {
    fileSystem: nodeFileSystem,
    snapshot: chooseSnapshot(await loadSnapshots(session), name),
    components: path
      .split('/')
      .filter((one) => one !== '')
      .map(utf8),
    target: utf8(target),
    overwrite: 'always',
    report: (problem) => problems.push(problem),
    ...options,
  });
  return { summary, problems };
}
