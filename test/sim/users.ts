/**
 * Users of a ring: each with the real client, in virtual time. They write blocks, overwrite records, and read both, and
 * hold every answer against what was written.
 */
import { bytesEqual } from '../../src/base/bytes.js';
import { sleep } from '../../src/base/clock.js';
import { hasCode, messageOf, PeerStoreError } from '../../src/base/errors.js';
import { silentLogger } from '../../src/base/log.js';
import { jittered, type Random, seededRandom } from '../../src/base/random.js';
import { openSession, type Session } from '../../src/client/session.js';
import { recordId, signRecord, type SignedRecord } from '../../src/identity/record.js';
import { hashToId, type Id, shortId } from '../../src/ring/identifier.js';
import type { Ledger } from './ledger.js';
import type { SimulatedUser, World } from './world.js';

/** How often something was done, and how it went. */
export interface UserFigures {
  writes: number;
  writesAcknowledged: number;
  reads: number;
  /** Reads that gave no answer although the value had been acknowledged. */
  readsFailed: number;
  /** Reads of records that gave an older value than the one that had been acknowledged when they began. */
  readsStale: number;
}

const recordKind = 'test';
const blockBytesMost = 2048;

/** A record that one task overwrites again and again. */
interface OwnRecord {
  readonly id: Id;
  readonly writer: SimulatedUser;
  readonly name: string;
  /** The highest number that was ever tried. */
  sequence: number;
}

export class Users {
  readonly figures: UserFigures = {
    writes: 0,
    writesAcknowledged: 0,
    reads: 0,
    readsFailed: 0,
    readsStale: 0,
  };
  readonly #world: World;
  readonly #ledger: Ledger;
  readonly #blocks = new Map<Id, Uint8Array>();
  readonly #records = new Map<Id, OwnRecord>();
  readonly #working: Promise<void>[] = [];
  #isOver = false;

  constructor(world: World, ledger: Ledger) {
    this.#world = world;
    this.#ledger = ledger;
  }

  /**
   * Sets a user to work.
   * @param tasks things that it does at the same time; each has a record of its own
   * @param pauseMs between two actions of a task, on average
   */
  async employ(name: string, tasks: number, pauseMs: number): Promise<void> {
    const world = this.#world;
    const user = world.user(name);
    const session = await world.clock.run(this.#session(user));
    for (let task = 0; task < tasks; task += 1) {
      const record: OwnRecord = {
        id: recordId(recordKind, user.key.publicKey, `${task}`),
        writer: user,
        name: `${task}`,
        sequence: 0,
      };
      this.#records.set(record.id, record);
      this.#working.push(this.#work(session, record, seededRandom(world.random.below(2 ** 32)), pauseMs));
    }
  }

  /** Lets everybody finish what they are about. */
  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#world.clock.run(Promise.all(this.#working));
  }

  /** Reads every acknowledged value once more; what cannot be read, or comes back older, is a violation. */
  async checkAll(): Promise<void> {
    const session = await this.#world.clock.run(this.#session(this.#world.user('auditor')));
    const { blocks, records } = session;
    for (const [id, { sequence }] of this.#ledger.acknowledged) {
      const where = this.#ledger.whereIs(id, sequence);
      const record = this.#records.get(id);
      try {
        if (record === undefined) this.#checkBlock(id, await this.#world.clock.run(blocks.get(id)));
        else {
          const { writer, name } = record;
          const found = await this.#world.clock.run(records.get(recordKind, writer.key.publicKey, name));
          this.#checkRecord(record, found);
          if ((found?.sequence ?? -1) >= sequence) continue;
          this.#world.violated(
            'recordsDoNotAge',
            `record ${shortId(id)} has number ${found?.sequence ?? 'none'}, acknowledged was ${sequence}: with ${where}`,
          );
        }
      } catch (error) {
        this.#world.violated('whatWasAcknowledgedIsThere', `${messageOf(error)} (it is with ${where})`);
      }
    }
  }

  #session(user: SimulatedUser): Promise<Session> {
    const { clock, live, random } = this.#world;
    return openSession({
      keys: { name: user.identity.name, user: user.key, device: user.key, archiveSecret: random.bytes(32) },
      transport: user.transport,
      entries: live.map(({ address }) => ({ address })),
      clock,
      random: seededRandom(random.below(2 ** 32)),
      log: silentLogger,
    });
  }

  async #work(session: Session, record: OwnRecord, random: Random, pauseMs: number): Promise<void> {
    for (;;) {
      await sleep(this.#world.clock, jittered(random, pauseMs, 0.9));
      if (this.#isOver) return;
      const choice = random.below(8);
      if (choice < 2) await this.#writeBlock(session, random);
      else if (choice < 5) await this.#writeRecord(session, record, random);
      else if (choice < 6) await this.#readRecord(session, random);
      else await this.#readBlock(session, random);
    }
  }

  async #writeBlock({ blocks }: Session, random: Random): Promise<void> {
    const bytes = random.bytes(1 + random.below(blockBytesMost));
    const id = hashToId(bytes);
    this.#blocks.set(id, bytes);
    await this.#write(id, 0, () => blocks.put(id, bytes));
  }

  /** Overwrites the task's record. A number that was tried once, whatever came of it, is never used for another value. */
  async #writeRecord({ records }: Session, record: OwnRecord, random: Random): Promise<void> {
    const { writer, name } = record;
    record.sequence += 1;
    const { sequence } = record;
    const bytes = signRecord(writer.key, {
      kind: recordKind,
      name,
      sequence,
      timeMs: this.#world.clock.nowMs(),
      deleted: false,
      value: valueOf(record.id, sequence, random.below(64)),
    });
    await this.#write(record.id, sequence, () => records.put(bytes));
  }

  async #write(id: Id, sequence: number, put: () => Promise<unknown>): Promise<void> {
    const writing = this.#ledger.begin(id, sequence);
    this.figures.writes += 1;
    try {
      await put();
      this.figures.writesAcknowledged += 1;
      this.#world.note(`written ${shortId(id)} ${sequence}`);
      writing.acknowledged();
    } catch (error) {
      writing.failed();
      this.#allow(error);
    }
  }

  async #readBlock({ blocks }: Session, random: Random): Promise<void> {
    const ids = [...this.#blocks.keys()].filter((id) => this.#ledger.acknowledged.has(id));
    const id = ids[random.below(Math.max(1, ids.length))];
    if (id !== undefined) await this.#read(async () => this.#checkBlock(id, await blocks.get(id)));
  }

  async #readRecord({ records }: Session, random: Random): Promise<void> {
    const all = [...this.#records.values()];
    const record = all[random.below(all.length)]!;
    const acknowledged = this.#ledger.acknowledged.get(record.id)?.sequence ?? 0;
    await this.#read(async () => {
      const found = await records.get(recordKind, record.writer.key.publicKey, record.name);
      this.#checkRecord(record, found);
      if ((found?.sequence ?? 0) < acknowledged) this.figures.readsStale += 1;
    });
  }

  async #read(get: () => Promise<void>): Promise<void> {
    this.figures.reads += 1;
    try {
      await get();
    } catch (error) {
      this.figures.readsFailed += 1;
      this.#allow(error);
    }
  }

  #checkBlock(id: Id, bytes: Uint8Array): void {
    if (!bytesEqual(bytes, this.#blocks.get(id)!))
      this.#world.violated('answersMatch', `block ${shortId(id)} has other bytes`);
  }

  #checkRecord({ id, sequence }: OwnRecord, found: SignedRecord | undefined): void {
    if (found === undefined) return;
    const expected = valueOf(id, found.sequence, found.value.length);
    if (found.sequence > sequence || !bytesEqual(found.value, expected))
      this.#world.violated('answersMatch', `record ${shortId(id)} has another value at ${found.sequence}`);
  }

  /** What may be said to a user while things go wrong; anything else is a fault of the program. */
  #allow(error: unknown): void {
    if (error instanceof PeerStoreError && !hasCode(error, 'INTERNAL', 'PROTOCOL', 'FORBIDDEN', 'CONFLICT'))
      return;
    this.#world.violated('failuresArePlanned', messageOf(error));
  }
}

/** The value that a record has at a number, of this length. */
function valueOf(id: Id, sequence: number, length: number): Uint8Array {
  return seededRandom(sequence * 2 ** 20 + Number.parseInt(id.slice(0, 5), 16)).bytes(length);
}
