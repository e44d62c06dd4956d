/**
 * The administration socket: how the owner of a data path talks to the peer that runs on it.
 *
 * A Unix socket in the data path, which only its owner may open. One JSON object a line in each direction: a command
 * with its arguments, and `{ "result": ... }` or `{ "code": ..., "message": ... }`.
 */
import { chmod, rm } from 'node:fs/promises';
import { createConnection, createServer, type Socket } from 'node:net';
import { openSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import { isErrorCode, messageOf, PeerStoreError, systemCode } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { Logger } from '../base/log.js';

/** Carries out a command. What it returns has to survive JSON. */
export type AdminHandler = (command: string, args: Readonly<Record<string, unknown>>) => Promise<unknown>;

export interface AdminServer {
  close(): Promise<void>;
}

const socketName = 'admin.sock';
/** The longest path that every system takes for a socket, its final zero excluded. */
const socketPathBytes = 103;

/**
 * Where the socket is. A path that is too long for a socket address is reached through the open directory (Linux).
 * @throws PeerStoreError USAGE where that does not exist.
 */
function socketPath(dataPath: string): string {
  const path = join(dataPath, socketName);
  if (Buffer.byteLength(path) <= socketPathBytes) return path;
  if (process.platform !== 'linux') {
    throw new PeerStoreError(
      'USAGE',
      `the data path ${dataPath} is too long for the socket in it; choose a shorter one`,
    );
  }
  return `/proc/self/fd/${openSync(dataPath, 'r')}/${socketName}`;
}

/** Listens in the data path, whose lock the caller holds: a socket that lies there is a dead peer's. */
export async function serveAdmin(dataPath: string, log: Logger, handle: AdminHandler): Promise<AdminServer> {
  const path = socketPath(dataPath);
  await rm(path, { force: true });
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', (error) => log.debug('an administration connection broke', { error: error.message }));
    void answerLines(socket, handle, log);
  });
  server.maxConnections = limits.adminConnections;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  await chmod(path, 0o600);
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

async function answerLines(socket: Socket, handle: AdminHandler, log: Logger): Promise<void> {
  const lines = createInterface({ input: socket });
  // The stream's own errors end the connection; the interface repeats them.
  lines.on('error', () => undefined);
  for await (const line of lines) {
    const answer = await answerLine(line, handle, log);
    if (!socket.writable) return;
    socket.write(`${JSON.stringify(answer)}\n`);
  }
}

async function answerLine(line: string, handle: AdminHandler, log: Logger): Promise<object> {
  try {
    const { command, ...args } = JSON.parse(line) as { command?: unknown };
    if (typeof command !== 'string') throw new PeerStoreError('USAGE', 'a line without a command');
    return { result: (await handle(command, args)) ?? null };
  } catch (error) {
    if (error instanceof PeerStoreError) return { code: error.code, message: error.message };
    log.error('an administration command failed', { error: messageOf(error) });
    return { code: 'INTERNAL', message: 'the command failed; the log of the peer says why' };
  }
}

/**
 * Asks the peer that runs on a data path.
 * @throws PeerStoreError UNREACHABLE when none runs there, or what the peer said.
 */
export async function askAdmin(dataPath: string, command: string, args: object = {}): Promise<unknown> {
  const answer = await new Promise<string>((resolve, reject) => {
    const socket = createConnection(socketPath(dataPath));
    socket.on('error', (error) => {
      const nobody = ['ENOENT', 'ECONNREFUSED', 'ENOTDIR'].includes(systemCode(error) ?? '');
      const reason = nobody
        ? 'no peer runs there; start peerstore-server with that data path'
        : error.message;
      reject(
        new PeerStoreError('UNREACHABLE', `cannot talk to a peer on ${dataPath}: ${reason}`, {
          cause: error,
        }),
      );
    });
    socket.on('close', () => reject(new PeerStoreError('UNREACHABLE', `the peer on ${dataPath} hung up`)));
    createInterface({ input: socket })
      .on('error', () => undefined)
      .once('line', (line) => {
        resolve(line);
        socket.end();
      });
    socket.write(`${JSON.stringify({ command, ...args })}\n`);
  });
  const { result, code, message } = JSON.parse(answer) as {
    result?: unknown;
    code?: unknown;
    message?: unknown;
  };
  if (typeof code === 'string')
    throw new PeerStoreError(isErrorCode(code) ? code : 'INTERNAL', String(message));
  return result;
}
