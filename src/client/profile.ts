/**
 * The user's profile: the record that lists the user's devices, signed by the user's own key, so that every device, and
 * anybody who knows the user's key, finds the others.
 */
import { bytesEqual } from '../base/bytes.js';
import { binary, integer, list, packValue, struct, text, unpackValue } from '../base/codec.js';
import { hasCode } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { signRecord } from '../identity/record.js';
import type { Session } from './session.js';

const recordKind = 'user';
const recordName = '';
const saveAttempts = 8;

const profileCodec = struct({
  version: integer(1, 1),
  name: text(limits.userNameBytes),
  devices: list(struct({ key: binary(32), name: text(255) }), limits.userDevices),
});

export interface Profile {
  /** 0 while there is no record. */
  readonly sequence: number;
  readonly devices: readonly { readonly key: Uint8Array; readonly name: string }[];
  /** The devices' public keys, this one's among them, 32 bytes each. */
  readonly deviceKeys: readonly Uint8Array[];
}

/** Reads the profile. @throws PeerStoreError as the ring's reads do. */
export async function loadProfile(session: Pick<Session, 'records' | 'keys'>): Promise<Profile> {
  const own = session.keys.device.publicKey;
  const record = await session.records.get(recordKind, session.keys.user.publicKey, recordName);
  const devices =
    record === undefined || record.deleted
      ? []
      : unpackValue(profileCodec, record.value, 'the user record').devices;
  const others = devices.map(({ key }) => key).filter((key) => !bytesEqual(key, own));
  return { sequence: record?.sequence ?? 0, devices, deviceKeys: [own, ...others] };
}

/** Adds this device to the profile, if it is not in it. @throws PeerStoreError as the ring's writes do. */
export async function registerDevice(
  session: Pick<Session, 'records' | 'keys' | 'clock'>,
  deviceName: string,
): Promise<void> {
  const { user, device, name } = session.keys;
  for (let attempt = 1; ; attempt += 1) {
    const { sequence, devices } = await loadProfile(session);
    if (devices.some(({ key }) => bytesEqual(key, device.publicKey))) return;
    const all = [...devices, { key: device.publicKey, name: deviceName }];
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
