/**
 * The user's profile: the record that lists the user's devices, signed by the user's own key, so that every device, and
 * anybody who knows the user's key, finds the others.
 */
import { bytesEqual, utf8 } from '../base/bytes.js';
import { binary, integer, list, packValue, struct, text, unpackValue } from '../base/codec.js';
import { hasCode, messageOf, PeerStoreError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { recordId, signRecord } from '../identity/record.js';
import { sealHead } from '../archive/snapshot.js';
import type { Id } from '../wire/index.js';
import { headRecord, headRecordId } from './head-record.js';
import type { Session } from './session.js';

const recordKind = 'user';
const recordName = '';
const saveAttempts = 8;
const deviceNameBytes = 255;

const profileCodec = struct({
  version: integer(1, 1),
  name: text(limits.userNameBytes),
  devices: list(struct({ key: binary(32), name: text(deviceNameBytes) }), limits.userDevices),
});

export interface Profile {
  /** 0 while there is no record. */
  readonly sequence: number;
  readonly devices: readonly { readonly key: Uint8Array; readonly name: string }[];
  /** The devices' public keys, this one's among them, 32 bytes each. */
  readonly deviceKeys: readonly Uint8Array[];
}

/** The record that holds a user's profile. */
export function profileRecord({ user }: Session['keys']): Id {
  return recordId(recordKind, user.publicKey, recordName);
}

/** Reads the profile. @throws PeerStoreError as the ring's reads do. */
export async function loadProfile(session: Pick<Session, 'records' | 'keys'>): Promise<Profile> {
  const own = session.keys.device.publicKey;
  const record = await session.records.get(recordKind, session.keys.user.publicKey, recordName);
  const devices = record === undefined || record.deleted ? [] : devicesIn(record.value);
  const others = devices.map(({ key }) => key).filter((key) => !bytesEqual(key, own));
  return { sequence: record?.sequence ?? 0, devices, deviceKeys: [own, ...others] };
}

function devicesIn(value: Uint8Array): Profile['devices'] {
  try {
    return unpackValue(profileCodec, value, 'list of devices').devices;
  } catch (error) {
    throw new PeerStoreError(
      'DAMAGED',
      `the user's list of devices cannot be read (${messageOf(error)}); was it written by a newer program? Update this one`,
      { cause: error },
    );
  }
}

type RegisteringSession = Pick<Session, 'records' | 'keys' | 'clock' | 'seen' | 'secrets'>;

/**
 * Makes sure that this device is in the profile, once a session. What the list of a device that is not in it refers to
 * would be given up by the others: so nothing is listed before.
 */
export class Registration {
  readonly #deviceName: string;
  #done: Promise<void> | undefined;

  constructor(deviceName: string) {
    this.#deviceName = deviceName;
  }

  /** Throws as {@link registerDevice}. */
  ensure(session: RegisteringSession): Promise<void> {
    this.#done ??= registerDevice(session, this.#deviceName).catch((error: unknown) => {
      this.#done = undefined;
      throw error;
    });
    return this.#done;
  }
}

/**
 * Adds this device to the profile, if it is not in it. It has a list before it is named, an empty one: so whoever reads the
 * profile knows of each device in it that there is a list, and that peers are missing if he is shown none.
 * @throws PeerStoreError NO_SPACE when the user has as many devices as a profile holds; UNSETTLED when the ring shows an
 *   older profile than this machine has seen: a new one made from it would leave devices out; as the ring's writes do.
 */
export async function registerDevice(session: RegisteringSession, deviceName: string): Promise<void> {
  const { user, device, name } = session.keys;
  for (let attempt = 1; ; attempt += 1) {
    const { sequence, devices } = await loadProfile(session);
    if (devices.some(({ key }) => bytesEqual(key, device.publicKey))) return;
    if (sequence < session.seen.highest(profileRecord(session.keys))) {
      throw new PeerStoreError(
        'UNSETTLED',
        "the peers that can be reached have an older list of the user's devices than this machine has seen: nothing is " +
          `listed before this device can be added to the newest one; start the peers that are missing${session.seen.advice}`,
      );
    }
    if (devices.length >= limits.userDevices) {
      throw new PeerStoreError(
        'NO_SPACE',
        `${name} has ${devices.length} devices, and a user can have no more; use the key file of one of them`,
      );
    }
    await writeFirstList(session);
    const all = [...devices, { key: device.publicKey, name: shortened(deviceName) }];
    const record = signRecord(user, {
      kind: recordKind,
      name: recordName,
      sequence: sequence + 1,
      timeMs: session.clock.nowMs(),
      deleted: false,
      value: packValue(profileCodec, { version: 1, name, devices: all }),
    });
    try {
      await session.records.put(record);
      return;
    } catch (error) {
      if (!hasCode(error, 'CONFLICT') || attempt >= saveAttempts) throw error;
    }
  }
}

async function writeFirstList({ records, keys, clock, seen, secrets }: RegisteringSession): Promise<void> {
  if (seen.highest(headRecordId(keys.device.publicKey)) > 0) return;
  const nothing = { depth: 0, references: [] };
  const record = signRecord(keys.device, {
    ...headRecord,
    sequence: 1,
    timeMs: clock.nowMs(),
    deleted: false,
    value: sealHead(secrets, { catalog: nothing, decisions: nothing }),
  });
  try {
    await records.put(record);
  } catch (error) {
    // It has one.
    if (!hasCode(error, 'CONFLICT')) throw error;
  }
}

/** A host's name that fits the profile; a character that is cut in half goes. */
function shortened(name: string): string {
  const bytes = utf8(name);
  if (bytes.length <= deviceNameBytes) return name;
  return Buffer.from(bytes.subarray(0, deviceNameBytes))
    .toString('utf8')
    .replace(/\ufffd+$/, '');
}
