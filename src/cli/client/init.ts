/** `init`: makes the user's key file and registers the user. */
import { dirname, resolve } from 'node:path';

import { systemClock } from '../../base/clock.js';
import { bytesEqual } from '../../base/bytes.js';
import { PeerStoreError } from '../../base/errors.js';
import { readFileIfThere } from '../../base/files.js';
import { systemRandom } from '../../base/random.js';
import { enrollThrough, strangerTransport } from '../../identity/enroll-call.js';
import { decodeInvite, type Invite } from '../../identity/invite.js';
import { readKeyFile, type UserKeyFile, writeKeyFile } from '../../identity/key-file.js';
import { SigningKey } from '../../identity/keys.js';
import {
  deriveUserKeys,
  fromRecoveryPhrase,
  newUserSecret,
  toRecoveryPhrase,
} from '../../identity/user-secret.js';
import { makePrivateDirectory, saveConfig, variable } from '../config.js';
import { pinnedKey } from '../pinned-key.js';
import { askSecret, textFromFile } from '../secrets.js';
import type { Console } from '../run.js';
import { clientLog, type CommonArguments, givenPassphrase, settingsOf, withSession } from './context.js';

export interface InitArguments extends CommonArguments {
  readonly invite: string | undefined;
  readonly inviteFile: string | undefined;
  readonly recover: boolean;
  readonly phraseFile: string | undefined;
}

/**
 * Makes the key file, trades the invite, and remembers where both are. An init that was cut off is finished by the same
 * command: the keys that it made are used again.
 */
export async function init(args: InitArguments, console: Console): Promise<void> {
  const invite = decodeInvite(inviteText(args, console));
  if (invite.kind !== 'user' || invite.name === undefined) {
    throw new PeerStoreError('NOT_ADMITTED', 'this invite is for a peer; ask for one made with --user NAME');
  }
  const settings = await settingsOf(args, console);
  const path = resolve(settings.selfKeyFile);
  const passphrase = givenPassphrase(args, console);
  const secret = args.recover ? await recoveredSecret(args) : undefined;
  const file = await keysFor(path, invite.name, invite, passphrase, secret);
  const pinnedKeys = pinnedKey(settings.peerAddrs[0], settings.peerKeyFile);
  const transport = strangerTransport(invite.fingerprint, {
    clock: systemClock,
    log: clientLog(args, console),
    ...(pinnedKeys === undefined ? {} : { pinnedKeys }),
  });
  let admitted: UserKeyFile;
  try {
    const addresses = [...new Set([...settings.peerAddrs, ...invite.addresses])];
    const keys = { key: file.device, userKey: deriveUserKeys(file.secret).signing };
    const { certificate, authority, peers } = await enrollThrough(
      transport,
      addresses,
      invite,
      keys,
      systemClock.nowMs(),
    );
    const hints = [...new Set([...addresses, ...peers.map(({ address }) => address)])];
    admitted = { ...file, addresses: hints, membership: { certificate, authority } };
    await writeKeyFile(path, admitted, systemRandom, passphrase === undefined ? undefined : { passphrase });
  } finally {
    await transport.close();
  }
  await saveConfig(console.env, {
    selfKeyFile: path,
    peerAddrs: admitted.addresses,
    ...(settings.peerKeyFile === undefined ? {} : { peerKeyFile: resolve(settings.peerKeyFile) }),
  });
  await withSession({ ...args, selfKeyFile: path }, console, (session) =>
    session.registration.ensure(session),
  );
  report(
    args,
    console,
    path,
    invite.name,
    args.recover ? undefined : toRecoveryPhrase(file.secret),
    passphrase,
  );
}

function report(
  args: InitArguments,
  console: Console,
  keyFile: string,
  user: string,
  recoveryPhrase: string | undefined,
  passphrase: string | undefined,
): void {
  if (args.json) {
    console.out(
      JSON.stringify({ user, keyFile, ...(recoveryPhrase === undefined ? {} : { recoveryPhrase }) }),
    );
    return;
  }
  if (!args.quiet) {
    console.err(
      `You are ${user}. Your key file is ${keyFile}${passphrase === undefined ? ', without a passphrase' : ''}.`,
    );
  }
  if (recoveryPhrase === undefined) return;
  if (!args.quiet) {
    console.err(
      'This is your recovery phrase. It is shown once. Write it down and keep it where nobody finds it:',
    );
    console.err('with it, and only with it, your files can be read when this machine is lost.');
  }
  console.out(recoveryPhrase);
}

function inviteText(args: InitArguments, console: Console): string {
  if (args.invite !== undefined) return args.invite;
  if (args.inviteFile !== undefined) return textFromFile(args.inviteFile, 'invite');
  const text = variable(console.env, 'PEERSTORE_INVITE');
  if (text === undefined) {
    throw new PeerStoreError(
      'USAGE',
      'init takes an invite: get one from "peerstore-server invite --user NAME", and give it with --invite',
    );
  }
  return text;
}

async function recoveredSecret(args: InitArguments): Promise<Uint8Array> {
  const phrase =
    args.phraseFile === undefined
      ? await askSecret('Recovery phrase: ')
      : textFromFile(args.phraseFile, 'recovery phrase');
  if (phrase === undefined) {
    throw new PeerStoreError(
      'USAGE',
      'give the recovery phrase with --phrase-file FILE, or - for standard input',
    );
  }
  return fromRecoveryPhrase(phrase);
}

/**
 * The keys in the file, or new ones, written before the ring hears of them.
 * @throws PeerStoreError CONFLICT when the file holds an identity that is in use.
 */
async function keysFor(
  path: string,
  name: string,
  invite: Invite,
  passphrase: string | undefined,
  recovered: Uint8Array | undefined,
): Promise<UserKeyFile> {
  const existing = (await readFileIfThere(path)) && (await readKeyFile(path, passphrase));
  if (existing !== undefined) {
    const sameUser = recovered === undefined || bytesEqual(existing.secret, recovered);
    const sameRing =
      existing.membership === undefined ||
      bytesEqual(existing.membership.authority.fingerprint, invite.fingerprint);
    if (existing.name === name && sameUser && sameRing) return existing;
    throw new PeerStoreError(
      'CONFLICT',
      `${path} holds the keys of ${existing.name}; name another file with --self-key-file`,
    );
  }
  const file: UserKeyFile = {
    name,
    addresses: invite.addresses,
    secret: recovered ?? newUserSecret(systemRandom),
    device: SigningKey.generate(systemRandom),
  };
  await makePrivateDirectory(dirname(path));
  await writeKeyFile(path, file, systemRandom, passphrase === undefined ? undefined : { passphrase });
  return file;
}
