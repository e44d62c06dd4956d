/**
 * How a disk is, as the outcomes of a store's own operations show it.
 *
 * | what happened | the disk is | until |
 * |---|---|---|
 * | more than nine tenths of the capacity are taken, or little is left on the file system | nearly full | there is some more room than that |
 * | a value did not fit the capacity | full | one of its size would |
 * | ENOSPC, EDQUOT | full | a value as large as the refused one was written |
 * | EROFS | read-only | something was written |
 * | EIO on a sync, or with several files within a day | failing | the peer starts again |
 *
 * What a sync has failed for is lost, whatever a later sync says: the system tells of it once and then forgets. So nothing
 * new is given to a disk that has done that, and nobody else is to let go of a copy because this disk has one.
 */
import type { Clock } from '../base/clock.js';
import { messageOf, PeerStoreError, systemCode } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { Logger } from '../base/log.js';
import { isMediumCode, isNoRoomCode, isSyncError } from './disk-errors.js';

export type DiskState = 'fine' | 'nearly full' | 'full' | 'read-only' | 'failing';

/** What people see of it. */
export interface DiskStatus {
  readonly state: DiskState;
  /** Since when it is in this state; null while it is fine. Wall time in milliseconds. */
  readonly sinceMs: number | null;
  /** What showed it last, and what to do now; null while it is fine. */
  readonly reason: string | null;
  readonly advice: string | null;
  /** Files that could not be read or written for an error of the disk, within the last day. */
  readonly errors: number;
}

/** What a file operation failed for. */
export interface DiskFailure {
  readonly error: unknown;
  readonly path: string;
  /** Bytes that were to be written; 0 when none were. */
  readonly sizeBytes: number;
  /** Whether what was written before is in doubt, too; left out, the error says whether it was a sync. */
  readonly isSync?: boolean;
}

interface Trouble {
  readonly sinceMs: number;
  readonly reason: string;
}

/** What a disk can suffer from, the worst first. */
const troubles = {
  failing: {
    state: 'failing',
    advice: 'nothing new is kept, and what is held is served as long as it can be read: replace this disk',
  },
  readOnly: {
    state: 'read-only',
    advice:
      'nothing new is kept, and what is held is served: see the kernel log, mount it again for writing, or replace the disk',
  },
  noRoom: {
    state: 'full',
    advice: 'nothing new is kept, and what is held is served: make room on the disk, or add a peer',
  },
  overCapacity: {
    state: 'full',
    advice: 'nothing new is kept, and what is held is served: raise --capacity, or add a peer',
  },
  nearlyFull: {
    state: 'nearly full',
    advice: 'give this peer more room before it is full, or add a peer',
  },
} as const satisfies Record<string, { readonly state: DiskState; readonly advice: string }>;

type TroubleName = keyof typeof troubles;

const worstFirst = Object.keys(troubles) as readonly TroubleName[];
const severity: readonly DiskState[] = ['fine', 'nearly full', 'full', 'read-only', 'failing'];

/** The capacity and the file system are nearly full until they have this much more room than made them so. */
const roomToSpare = 1.5;

export class DiskHealth {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #capacityBytes: number | null;
  readonly #troubles = new Map<TroubleName, Trouble>();
  /** When a file had an error of the disk last, by its path; in monotonic time. */
  readonly #errors = new Map<string, number>();
  /** The largest values that were refused for want of room, by the disk and for the capacity. */
  #noRoomBytes = 0;
  /** The smallest that the disk has refused and not taken since. */
  #noRoomFromBytes = Infinity;
  #overCapacityBytes = 0;
  #takenBytes = 0;
  #freeBytes: number | undefined;
  #told: DiskState = 'fine';

  /** @param capacityBytes what blocks and records may take together; null when the disk alone sets the bound */
  constructor(clock: Clock, log: Logger, capacityBytes: number | null) {
    this.#clock = clock;
    this.#log = log;
    this.#capacityBytes = capacityBytes;
  }

  get status(): DiskStatus {
    const name = this.#worst();
    const trouble = name && this.#troubles.get(name);
    const errors = this.#recentErrors();
    return name === undefined || trouble === undefined
      ? { state: 'fine', sinceMs: null, reason: null, advice: null, errors }
      : { ...troubles[name], ...trouble, errors };
  }

  /** Whether the disk lost what it was given: what it seems to hold is no reason for others to let go of theirs. */
  get isFailing(): boolean {
    return this.#troubles.has('failing');
  }

  /**
   * Checks that the disk may be given something new.
   * @param what what is about to be done: `keep block 12ab...`
   * @throws PeerStoreError IO while it is read-only or failing.
   */
  requireWritable(what: string): void {
    const { state, reason, advice } = this.status;
    if (state !== 'read-only' && state !== 'failing') return;
    throw new PeerStoreError('IO', `cannot ${what}: the disk is ${state} (${reason ?? ''}); ${advice ?? ''}`);
  }

  /**
   * Checks that there may be room on the disk for something new: nobody is to send what would be refused once it is here.
   * @throws PeerStoreError NO_SPACE while there is none for a value that is no larger.
   */
  requireRoom(sizeBytes: number): void {
    const noRoom = this.#troubles.get('noRoom');
    if (noRoom === undefined || sizeBytes < this.#noRoomFromBytes) return;
    throw new PeerStoreError(
      'NO_SPACE',
      `there was no room for as little as ${this.#noRoomFromBytes} bytes (${noRoom.reason}); ${troubles.noRoom.advice}`,
    );
  }

  /** A value was written, durably. */
  wrote(sizeBytes: number): void {
    this.#troubles.delete('readOnly');
    if (sizeBytes >= this.#noRoomFromBytes) this.#noRoomFromBytes = sizeBytes + 1;
    if (this.#troubles.has('noRoom') && sizeBytes >= this.#noRoomBytes) {
      this.#troubles.delete('noRoom');
      this.#noRoomBytes = 0;
      this.#noRoomFromBytes = Infinity;
    }
    this.#tell();
  }

  /** An operation on a file failed. What is not the disk's doing, such as a file that is not there, counts for nothing. */
  failed({ error, path, sizeBytes, isSync = isSyncError(error) }: DiskFailure): void {
    const code = systemCode(error);
    if (isNoRoomCode(code)) {
      // Also what needs no room of its own was refused for want of some.
      this.#noRoomBytes = Math.max(this.#noRoomBytes, sizeBytes, 1);
      this.#noRoomFromBytes = Math.min(this.#noRoomFromBytes, Math.max(sizeBytes, 1));
      this.#note('noRoom', messageOf(error));
    } else if (code === 'EROFS') this.#note('readOnly', messageOf(error));
    else if (isMediumCode(code)) {
      this.#errors.delete(path);
      this.#errors.set(path, this.#clock.monotonicMs());
      const errors = this.#recentErrors();
      if (isSync) this.#note('failing', `what was written may be lost: ${messageOf(error)}`);
      else if (errors >= limits.diskErrorFiles)
        this.#note('failing', `errors with ${errors} files within a day: ${messageOf(error)}`);
    }
    this.#tell();
  }

  /** A value did not fit the capacity. */
  refused(sizeBytes: number, reason: string): void {
    this.#overCapacityBytes = Math.max(this.#overCapacityBytes, sizeBytes);
    this.#note('overCapacity', reason);
    this.#tell();
  }

  /** What blocks and records take is so much now. */
  holds(takenBytes: number): void {
    this.#takenBytes = takenBytes;
    if (this.#troubles.has('overCapacity') && takenBytes + this.#overCapacityBytes <= this.#capacity) {
      this.#troubles.delete('overCapacity');
      this.#overCapacityBytes = 0;
    }
    this.#lookAtRoom();
  }

  /** The file system has so much left. */
  hasFree(freeBytes: number): void {
    this.#freeBytes = freeBytes;
    this.#lookAtRoom();
  }

  /** How much to write to see whether the disk has recovered; undefined while there is nothing to recover from. */
  get trialBytes(): number | undefined {
    if (this.isFailing) return undefined;
    return this.#troubles.has('readOnly') || this.#troubles.has('noRoom')
      ? Math.max(this.#noRoomBytes, 1)
      : undefined;
  }

  get #capacity(): number {
    return this.#capacityBytes ?? Infinity;
  }

  #lookAtRoom(): void {
    const spare = this.#troubles.has('nearlyFull') ? roomToSpare : 1;
    const leftOfCapacity = this.#capacity - this.#takenBytes;
    const free = this.#freeBytes ?? Infinity;
    if (leftOfCapacity < this.#capacity * limits.capacityLeftShare * spare) {
      const percent = Math.floor((100 * this.#takenBytes) / this.#capacity);
      this.#note('nearlyFull', `${percent}% of the capacity of ${this.#capacity} bytes are taken`);
    } else if (free < limits.diskLeftBytes * spare)
      this.#note('nearlyFull', `${free} bytes are left on the file system`);
    else this.#troubles.delete('nearlyFull');
    this.#tell();
  }

  #recentErrors(): number {
    for (const [path, atMs] of this.#errors) {
      const isRecent = this.#clock.monotonicMs() - atMs < limits.diskErrorsMs;
      if (isRecent && this.#errors.size <= limits.diskErrorsKept) break;
      this.#errors.delete(path);
    }
    return this.#errors.size;
  }

  #note(name: TroubleName, reason: string): void {
    const sinceMs = this.#troubles.get(name)?.sinceMs ?? this.#clock.nowMs();
    this.#troubles.set(name, { sinceMs, reason });
  }

  #worst(): TroubleName | undefined {
    return worstFirst.find((name) => this.#troubles.has(name));
  }

  /** Each change of state is said once. */
  #tell(): void {
    const name = this.#worst();
    const state = name === undefined ? 'fine' : troubles[name].state;
    if (state === this.#told) return;
    const isWorse = severity.indexOf(state) > severity.indexOf(this.#told);
    this.#told = state;
    const { reason, advice } = this.status;
    if (reason === null || advice === null) this.#log.info('the disk is fine again');
    else if (!isWorse) this.#log.info(`the disk has recovered; it is ${state}: ${advice}`, { reason });
    else if (state === 'failing' || state === 'read-only')
      this.#log.error(`the disk is ${state}: ${advice}`, { reason });
    else this.#log.warn(`the disk is ${state}: ${advice}`, { reason });
  }
}
