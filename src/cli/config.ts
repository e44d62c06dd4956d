/** What `init` remembers, so that the other commands need no options. */
import { chmod, mkdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

import { toHex, utf8 } from '../base/bytes.js';
import { messageOf, PeerStoreError } from '../base/errors.js';
import { readFileIfThere, writeFileAtomic } from '../base/files.js';
import { systemRandom } from '../base/random.js';

export type Environment = Readonly<Record<string, string | undefined>>;

/** A variable of the environment. One that is empty counts as not set, as the XDG specification has it. */
export function variable(env: Environment, name: string): string | undefined {
  return env[name] === '' ? undefined : env[name];
}

export interface Config {
  /** The user's key file, absolute. */
  readonly selfKeyFile?: string;
  /** Peers to enter the ring by, `host:port`. */
  readonly peerAddrs?: readonly string[];
  /** The public key that the first of them has to have, absolute. */
  readonly peerKeyFile?: string;
}

/** Where configuration is kept: `$XDG_CONFIG_HOME/peerstore`, else `~/.config/peerstore`. */
export function configDirectory(env: Environment): string {
  return join(variable(env, 'XDG_CONFIG_HOME') ?? join(homeOf(env), '.config'), 'peerstore');
}

/** Where caches are kept: `$PEERSTORE_CACHE_DIR`, else `$XDG_CACHE_HOME/peerstore`, else `~/.cache/peerstore`. */
export function cacheDirectory(env: Environment): string {
  return (
    variable(env, 'PEERSTORE_CACHE_DIR') ??
    join(variable(env, 'XDG_CACHE_HOME') ?? join(homeOf(env), '.cache'), 'peerstore')
  );
}

/** Where a user's caches are kept: each user has one of his own, for the keys in it are the user's. */
export function userCacheDirectory(env: Environment, userKey: Uint8Array): string {
  return join(cacheDirectory(env), toHex(userKey).slice(0, 32));
}

/** The key file that is used when none is named anywhere. */
export function defaultKeyFile(env: Environment): string {
  return join(configDirectory(env), 'user.key');
}

function configFile(env: Environment): string {
  return join(configDirectory(env), 'config.json');
}

/** Reads the configuration; without a file it is empty. @throws PeerStoreError USAGE when the file makes no sense. */
export async function loadConfig(env: Environment): Promise<Config> {
  const path = configFile(env);
  try {
    const bytes = await readFileIfThere(path);
    if (bytes === undefined) return {};
    const { selfKeyFile, peerAddrs, peerKeyFile } = JSON.parse(Buffer.from(bytes).toString()) as Record<
      string,
      unknown
    >;
    return {
      ...(typeof selfKeyFile === 'string' ? { selfKeyFile } : {}),
      ...(Array.isArray(peerAddrs) ? { peerAddrs: peerAddrs.filter((one) => typeof one === 'string') } : {}),
      ...(typeof peerKeyFile === 'string' ? { peerKeyFile } : {}),
    };
  } catch (error) {
    throw new PeerStoreError(
      'USAGE',
      `cannot read the configuration ${path}: ${messageOf(error)}; mend or delete it`,
      { cause: error },
    );
  }
}

/** Writes the configuration, for its owner only. @throws PeerStoreError USAGE when it cannot be written. */
export async function saveConfig(env: Environment, config: Config): Promise<void> {
  const path = configFile(env);
  await makePrivateDirectory(dirname(path));
  const text = `${JSON.stringify({ version: 1, ...config }, null, 2)}\n`;
  try {
    await writeFileAtomic(path, utf8(text), 0o600, systemRandom);
  } catch (error) {
    throw new PeerStoreError('USAGE', `cannot write the configuration ${path}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

/**
 * Makes a directory that only its owner may look into, with those above it.
 * @throws PeerStoreError USAGE when it cannot be made.
 */
export async function makePrivateDirectory(path: string): Promise<void> {
  try {
    const made = await mkdir(path, { recursive: true, mode: 0o700 });
    if (made !== undefined) await chmod(path, 0o700);
  } catch (error) {
    throw new PeerStoreError('USAGE', `cannot make the directory ${path}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

function homeOf(env: Environment): string {
  return resolve(variable(env, 'HOME') ?? homedir());
}
