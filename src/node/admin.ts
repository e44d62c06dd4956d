/**
 * The administration socket: how the owner of a data path talks to the peer that runs on it.
 *
 * A Unix socket in the data path, which only its owner may open. One JSON object a line in each direction: a command
 * with its arguments, and `{ "result": ... }` or `{ "code": ..., "message": ... }`.
 */
import { type FileHandle, open, rm } from 'node:fs/promises';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';

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

/** Where the socket is, and what keeps that path good. */
interface SocketPlace {
  readonly path: string;
  close(): Promise<void>;
}

/**
 * Finds the place of the socket. A path that is too long for a socket address is reached through the open directory.
 * @throws PeerStoreError USAGE where the system has no such way (it is Linux's), UNREACHABLE when there is no data path.
 */
async function socketPlace(dataPath: string): Promise<SocketPlace> {
  const path = join(dataPath, socketName);
  if (Buffer.byteLength(path) <= socketPathBytes) return { path, close: () => Promise.resolve() };
  if (process.platform !== 'linux') {
    throw new PeerStoreError(
      'USAGE',
      `the data path ${dataPath} is too long for the socket in it; choose a shorter one`,
    );
  }
  let directory: FileHandle;
  try {
    directory = await open(dataPath, 'r');
  } catch (error) {
    throw new PeerStoreError('UNREACHABLE', `cannot open the data path ${dataPath}: ${messageOf(error)}`, {
      cause: error,
    });
  }
  return { path: `/proc/self/fd/${directory.fd}/${socketName}`, close: () => directory.close() };
}

/** Listens in the data path, whose lock the caller holds: a socket that lies there is a dead peer's. */
export async function serveAdmin(dataPath: string, log: Logger, handle: AdminHandler): Promise<AdminServer> {
  const place = await socketPlace(dataPath);
  await rm(place.path, { force: true });
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', (error) => log.debug('an administration connection broke', { error: error.message }));
    answerLines(socket, handle, log).catch((error: unknown) => {
      log.debug('an administration connection ended', { error: messageOf(error) });
      socket.destroy();
    });
  });
  server.maxConnections = limits.adminConnections;
  await listen(server, place.path);
  server.on('error', (error) =>
    log.warn('the administration socket could not accept a connection', { error: error.message }),
  );
  return {
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      // What has been answered is still to arrive.
      for (const socket of sockets) socket.destroySoon();
      await closed;
      await place.close();
    },
  };
}

/** Binds the socket so that from its first moment nobody but its owner may open it. */
function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    const mask = process.umask(0o177);
    try {
      server.listen(path, () => {
        server.off('error', reject);
        resolve();
      });
    } finally {
      process.umask(mask);
    }
  });
}

/**
 * The lines of a stream.
 * @throws PeerStoreError PROTOCOL when one is too long.
 */
async function* linesOf(socket: Socket): AsyncGenerator<string> {
  socket.setEncoding('utf8');
  let rest = '';
  for await (const piece of socket as AsyncIterable<string>) {
    const lines = (rest + piece).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > limits.adminLineBytes) {
      throw new PeerStoreError('PROTOCOL', `a line of more than ${limits.adminLineBytes} characters`);
    }
    yield* lines;
  }
}

async function answerLines(socket: Socket, handle: AdminHandler, log: Logger): Promise<void> {
  for await (const line of linesOf(socket)) {
    const answer = await answerLine(line, handle, log);
    if (!socket.writable) return;
    socket.write(`${JSON.stringify(answer)}\n`);
  }
}

async function answerLine(line: string, handle: AdminHandler, log: Logger): Promise<object> {
  try {
    const { command, args } = parseCommand(line);
    return { result: (await handle(command, args)) ?? null };
  } catch (error) {
    if (error instanceof PeerStoreError) return { code: error.code, message: error.message };
    log.error('an administration command failed', { error: messageOf(error) });
    return { code: 'INTERNAL', message: 'the command failed; the log of the peer says why' };
  }
}

function parseCommand(line: string): { command: string; args: Readonly<Record<string, unknown>> } {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch {
    parsed = undefined;
  }
  if (typeof parsed === 'object' && parsed !== null && 'command' in parsed) {
    const { command, ...args } = parsed;
    if (typeof command === 'string') return { command, args };
  }
  throw new PeerStoreError('USAGE', 'a line that is not a command');
}

/**
 * Asks the peer that runs on a data path.
 * @throws PeerStoreError UNREACHABLE when none runs there, or what the peer said.
 */
export async function askAdmin(dataPath: string, command: string, args: object = {}): Promise<unknown> {
  const place = await socketPlace(dataPath);
  try {
    return resultIn(
      await firstLine(place.path, dataPath, `${JSON.stringify({ command, ...args })}\n`),
      dataPath,
    );
  } finally {
    await place.close();
  }
}

async function firstLine(path: string, dataPath: string, request: string): Promise<string> {
  const socket = createConnection(path);
  try {
    socket.write(request);
    for await (const line of linesOf(socket)) return line;
  } catch (error) {
    const nobody = ['ENOENT', 'ECONNREFUSED', 'ENOTDIR'].includes(systemCode(error) ?? '');
    const reason = nobody
      ? 'no peer runs there; start peerstore-server with that data path'
      : messageOf(error);
    throw new PeerStoreError('UNREACHABLE', `cannot talk to a peer on ${dataPath}: ${reason}`, {
      cause: error,
    });
  } finally {
    socket.destroy();
  }
  throw new PeerStoreError('UNREACHABLE', `the peer on ${dataPath} hung up; is it stopping?`);
}

function resultIn(answer: string, dataPath: string): unknown {
  let parsed: { result?: unknown; code?: unknown; message?: unknown };
  try {
    parsed = JSON.parse(answer) as typeof parsed;
  } catch (error) {
    throw new PeerStoreError('PROTOCOL', `the peer on ${dataPath} answers something that is no JSON`, {
      cause: error,
    });
  }
  const { result, code, message } = parsed;
  if (typeof code === 'string') {
    throw new PeerStoreError(isErrorCode(code) ? code : 'INTERNAL', String(message));
  }
  return result;
}
