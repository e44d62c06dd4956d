/** A ring of real processes on this machine: peers on free ports of 127.0.0.1 and clients, all below one directory. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';

import type { ServerStatus } from '../../src/cli/server-status.js';
import { askAdmin } from '../../src/node/admin.js';
import { type Ended, type Running, start, until } from './processes.js';

/** The clone that this file was built in. */
export const root = resolve(import.meta.dirname, '../../..');

const serverProgram = join(root, 'bin/peerstore-server');
const clientProgram = join(root, 'bin/peerstore-client');

/** How long a peer may take to be in the ring. Generous: the machine may be busy with other things. */
const readyMs = 120_000;

export interface PeerOptions {
  /** A peer of the ring to join, by an invite. Without it, the data path decides. */
  readonly join?: Inviter;
  /** Where to listen. Default: a free port of 127.0.0.1. */
  readonly address?: string;
  /** Default: the directory with the peer's name. */
  readonly dataPath?: string;
  /** More options. */
  readonly args?: readonly string[];
  /** More of an environment. */
  readonly env?: NodeJS.ProcessEnv;
}

/** Whoever can be asked for an invite: the peer that founded the ring. */
export interface Inviter {
  readonly dataPath: string;
}

export interface Peer extends Running {
  readonly name: string;
  readonly dataPath: string;
  readonly address: string;
  readonly id: string;
}

/** One machine with a user's client on it: it has a home of its own. */
export interface Client {
  readonly home: string;
  /** Runs a command to its end. */
  readonly run: (args: readonly string[], env?: NodeJS.ProcessEnv) => Promise<Ended>;
  /** Starts a command. */
  readonly start: (args: readonly string[], env?: NodeJS.ProcessEnv) => Promise<Running>;
  /** Runs a command that has to succeed. @returns the last line of its output, a JSON object. */
  readonly json: (args: readonly string[]) => Promise<Record<string, unknown>>;
}

/** The directory, and everything that runs in it. */
export class Lab {
  readonly directory: string;
  readonly #mounts: string[] = [];
  /** Every process that was started here and has not ended. */
  readonly #running = new Set<Running>();
  readonly #cleanUp = (): void => {
    this.#remove();
  };

  constructor() {
    this.directory = mkdtempSync(join(realpathSync(tmpdir()), 'peerstore-e2e-'));
    // However this process ends, it leaves nothing behind.
    process.on('exit', this.#cleanUp);
  }

  /** A path in the directory. */
  path(...names: readonly string[]): string {
    return join(this.directory, ...names);
  }

  /** Starts a peer, and waits until it says that it is ready. @throws Error with what it said when it ends instead. */
  async peer(name: string, options: PeerOptions = {}): Promise<Peer> {
    const dataPath = options.dataPath ?? this.path(name);
    const running = await this.startServer(
      [
        '--addr',
        options.address ?? '127.0.0.1:0',
        '--data-path',
        dataPath,
        ...(options.join === undefined ? [] : ['--join', await this.invite(options.join, '--peer')]),
        ...(options.args ?? ['--log-level', 'warn']),
      ],
      [],
      options.env,
    );
    let ended: Ended | undefined;
    void running.ended.then((end) => {
      ended = end;
    });
    const ready = /^ready (\S+) ([0-9a-f]{64})\n/;
    await until(
      `peer ${name} to be ready`,
      () => ended !== undefined || ready.test(running.stdout()),
      readyMs,
    );
    const [, address, id] = ready.exec(running.stdout()) ?? [];
    if (address === undefined || id === undefined) {
      throw new Error(`peer ${name} ended with ${ended?.code ?? 'a signal'}: ${running.stderr()}`);
    }
    return { ...running, name, dataPath, address, id };
  }

  /**
   * Starts a ring of peers, one after the other; the first founds it. They are called `p1`, `p2` and so on. It is whole
   * when it is given out: a peer that has not heard of all others yet makes fewer copies.
   */
  async ring(count: number, options: PeerOptions = {}): Promise<[Peer, ...Peer[]]> {
    const first = await this.peer('p1', options);
    const peers: [Peer, ...Peer[]] = [first];
    for (let number = 2; number <= count; number += 1) {
      peers.push(await this.peer(`p${number}`, { ...options, join: first }));
    }
    await until('the ring to be whole', async () => {
      const seen = await Promise.all(peers.map(async (peer) => (await this.status(peer)).successors.length));
      return seen.every((others) => others === count - 1);
    });
    return peers;
  }

  /**
   * Starts peers that join a ring, several at a time: a start is little work and much waiting for a process to load its
   * modules. They are called `p2`, `p3` and so on.
   */
  async peers(count: number, founder: Inviter, atOnce = 4): Promise<readonly Peer[]> {
    const peers: Peer[] = [];
    let next = 0;
    const work = async (): Promise<void> => {
      while (next < count) {
        const at = next;
        next += 1;
        peers[at] = await this.peer(`p${at + 2}`, { join: founder });
      }
    };
    await Promise.all(Array.from({ length: atOnce }, work));
    return peers;
  }

  /** Starts the peer of a data path again, at the address that it had, with no other options. */
  again(peer: Peer): Promise<Peer> {
    const { name, dataPath, address } = peer;
    return this.peer(name, { dataPath, address, args: [] });
  }

  /** An invite, from the peer that founded the ring. */
  async invite(from: Inviter, ...args: readonly string[]): Promise<string> {
    return succeeded(await this.server(['invite', '--data-path', from.dataPath, ...args])).stdout.trim();
  }

  /** What a running peer says of itself, asked as `peerstore-server status` asks it, without a process for each question. */
  async status({ dataPath }: Inviter): Promise<ServerStatus> {
    return (await askAdmin(dataPath, 'status')) as ServerStatus;
  }

  /** Runs peerstore-server to its end. */
  async server(args: readonly string[], under: readonly string[] = []): Promise<Ended> {
    return (await this.startServer(args, under)).ended;
  }

  /** @param under a program, with its arguments, that starts it */
  startServer(
    args: readonly string[],
    under: readonly string[] = [],
    env: NodeJS.ProcessEnv = {},
  ): Promise<Running> {
    return this.#start([...under, serverProgram, ...args], this.directory, {
      ...this.#environment('server'),
      ...env,
    });
  }

  /**
   * A client with a home of its own, not yet a user of any ring.
   * @param under a program, with its arguments, that starts it
   */
  client(name: string, under: readonly string[] = []): Client {
    const home = this.path(name);
    mkdirSync(home, { recursive: true });
    const begin: Client['start'] = (args, env = {}) =>
      this.#start([...under, clientProgram, ...args], home, { ...this.#environment(name), ...env });
    const run: Client['run'] = async (args, env) => (await begin(args, env)).ended;
    return {
      home,
      start: begin,
      run,
      json: async (args) => {
        const { stdout } = succeeded(await run([...args, '--json']));
        return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Record<string, unknown>;
      },
    };
  }

  /** A client that is a user of the ring. */
  async user(name: string, from: Inviter): Promise<Client> {
    const client = this.client(name);
    succeeded(await client.run(['init', '--invite', await this.invite(from, '--user', name)]));
    return client;
  }

  /** Mounts a file system in memory, which takes root. @returns where it is. */
  mountMemory(name: string, bytes: number): string {
    const path = this.path(name);
    mkdirSync(path);
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', path]);
    this.#mounts.push(path);
    return path;
  }

  /** Ends every process that was started, and removes the directory. */
  async close(): Promise<void> {
    const running = [...this.#running];
    for (const one of running) one.kill('SIGKILL');
    await Promise.all(running.map(({ ended }) => ended));
    process.off('exit', this.#cleanUp);
    this.#remove();
  }

  async #start(command: readonly string[], cwd: string, env: NodeJS.ProcessEnv): Promise<Running> {
    const running = await start(command, { cwd, env });
    this.#running.add(running);
    void running.ended.then(() => this.#running.delete(running));
    return running;
  }

  #remove(): void {
    for (const running of this.#running) running.kill('SIGKILL');
    for (const path of this.#mounts.splice(0).reverse()) execFileSync('umount', ['-l', path]);
    // A process that was killed a moment ago may still end a write: then the directory is not empty at once. rm(1)
    // goes deeper than the longest path, which node:fs cannot.
    try {
      execFileSync('rm', ['-rf', this.directory], { stdio: 'ignore' });
    } catch {
      rmSync(this.directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
    }
  }

  /** Nothing of the person who runs this gets in, and nothing gets out of the directory. */
  #environment(name: string): NodeJS.ProcessEnv {
    const home = this.path(name);
    return {
      PATH: [dirname(process.execPath), process.env['PATH'] ?? ''].join(delimiter),
      HOME: home,
      XDG_CONFIG_HOME: join(home, '.config'),
      XDG_CACHE_HOME: join(home, '.cache'),
      PEERSTORE_CACHE_DIR: join(home, '.cache', 'peerstore'),
    };
  }
}

/** The end of a command that has to succeed. @throws Error with what it said when it did not. */
export function succeeded(end: Ended): Ended {
  if (end.code === 0) return end;
  throw new Error(`ended with ${end.code ?? end.signal ?? 'nothing'}: ${end.stderr}${end.stdout}`);
}
