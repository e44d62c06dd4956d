/** What every client command starts from: the options they share, and a session opened with them. */
import { hostname } from 'node:os';
import { join } from 'node:path';

import { systemClock } from '../../base/clock.js';
import { PeerStoreError } from '../../base/errors.js';
import { createLogger, type Logger } from '../../base/log.js';
import { systemRandom } from '../../base/random.js';
import { SeenRecords } from '../../client/seen-records.js';
import { openSession, type Session } from '../../client/session.js';
import { type Rates, throttled } from '../../client/throttle.js';
import { certificateToPem, identify } from '../../identity/certificate.js';
import { readKeyFile, readKeyFilePublic, type UserKeyFile } from '../../identity/key-file.js';
import { deriveUserKeys } from '../../identity/user-secret.js';
import { createTlsTransport } from '../../wire/tls.js';
import { type Config, defaultKeyFile, loadConfig, userCacheDirectory, variable } from '../config.js';
import { pinnedKey } from '../pinned-key.js';
import { askSecret, lineFromFile } from '../secrets.js';
import type { Console } from '../run.js';
import { interruption } from '../signals.js';
import { parseRate } from '../units.js';

/** The options that every command takes, as yargs reads them. */
export interface CommonArguments {
  readonly peerAddr: readonly string[] | undefined;
  readonly peerKeyFile: string | undefined;
  readonly selfKeyFile: string | undefined;
  readonly passphraseFile: string | undefined;
  readonly limitUpload: string | undefined;
  readonly limitDownload: string | undefined;
  readonly json: boolean;
  readonly quiet: boolean;
  readonly progress: boolean;
}

/** Where the user's identity and the ring are, after options, environment and configuration were weighed. */
export interface Settings {
  readonly selfKeyFile: string;
  readonly peerAddrs: readonly string[];
  readonly peerKeyFile: string | undefined;
  readonly config: Config;
}

/** Options win over the environment, that over the configuration, that over the defaults. */
export async function settingsOf(args: CommonArguments, console: Console): Promise<Settings> {
  const { env } = console;
  const config = await loadConfig(env);
  const fromEnvironment = variable(env, 'PEERSTORE_PEER_ADDR');
  const named = args.peerAddr ?? (fromEnvironment === undefined ? undefined : fromEnvironment.split(','));
  return {
    selfKeyFile:
      args.selfKeyFile ??
      variable(env, 'PEERSTORE_SELF_KEY_FILE') ??
      config.selfKeyFile ??
      defaultKeyFile(env),
    peerAddrs: (named ?? config.peerAddrs ?? []).map((one) => one.trim()).filter((one) => one !== ''),
    // A remembered key belongs to the remembered address, not to another one.
    peerKeyFile: args.peerKeyFile ?? (named === undefined ? config.peerKeyFile : undefined),
    config,
  };
}

/** The passphrase, from the file, the environment, or the person if a key file needs one. */
export function givenPassphrase(args: CommonArguments, console: Console): string | undefined {
  if (args.passphraseFile !== undefined) return lineFromFile(args.passphraseFile, 'passphrase');
  return variable(console.env, 'PEERSTORE_PASSPHRASE');
}

/** Messages of the program's inner parts, when something is wrong. */
export function clientLog(args: CommonArguments, console: Console): Logger {
  return createLogger({
    level: args.quiet ? 'error' : 'warn',
    format: 'text',
    clock: systemClock,
    write: console.err,
  });
}

/** Unlocks the user's key file. */
export async function unlock(path: string, args: CommonArguments, console: Console): Promise<UserKeyFile> {
  let passphrase = givenPassphrase(args, console);
  if (passphrase === undefined && (await readKeyFilePublic(path)).isProtected) {
    passphrase = await askSecret(`Passphrase for ${path}: `);
  }
  return readKeyFile(path, passphrase);
}

/**
 * Opens a session, does something in it, and closes it.
 * @throws PeerStoreError as the session and the work do; CANCELLED after SIGINT or SIGTERM.
 */
export async function withSession<T>(
  args: CommonArguments,
  console: Console,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const rates = ratesOf(args);
  const settings = await settingsOf(args, console);
  const file = await unlock(settings.selfKeyFile, args, console);
  if (file.membership === undefined) {
    throw new PeerStoreError(
      'NOT_ADMITTED',
      `${settings.selfKeyFile} is not admitted to a ring yet; run peerstore-client init --invite INVITE again`,
    );
  }
  const { certificate, authority } = file.membership;
  const log = clientLog(args, console);
  const pinnedKeys = pinnedKey(settings.peerAddrs[0], settings.peerKeyFile);
  const clock = systemClock;
  const transport = createTlsTransport({
    clock,
    log,
    credentials: {
      privateKeyPem: file.device.toPem(),
      certificatePem: certificateToPem(certificate),
      authorityPem: certificateToPem(authority.der),
    },
    identify: (leafDer) => identify(leafDer, authority, clock.nowMs()),
    ...(pinnedKeys === undefined ? {} : { pinnedKeys }),
  });
  const { signing, archiveSecret } = deriveUserKeys(file.secret);
  // With addresses named, those and no others: a person who names a peer wants that one.
  const addresses = settings.peerAddrs.length > 0 ? settings.peerAddrs : file.addresses;
  const { signal, forget } = interruption();
  const path = join(userCacheDirectory(console.env, signing.publicKey), 'seen-records');
  const seen = await SeenRecords.load({ path, random: systemRandom, log });
  try {
    const session = await openSession({
      keys: { name: file.name, user: signing, device: file.device, archiveSecret },
      deviceName: hostname(),
      seen,
      transport: throttled(transport, clock, rates),
      entries: addresses.map((address) => ({ address })),
      clock,
      random: systemRandom,
      log,
      signal,
    });
    return await work(session);
  } finally {
    forget();
    await seen.save();
    await transport.close();
  }
}

function ratesOf({ limitUpload, limitDownload }: CommonArguments): Rates {
  return {
    ...(limitUpload === undefined ? {} : { uploadBytesPerS: parseRate(limitUpload, '--limit-upload') }),
    ...(limitDownload === undefined
      ? {}
      : { downloadBytesPerS: parseRate(limitDownload, '--limit-download') }),
  };
}
