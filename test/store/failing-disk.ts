/** A disk that fails on demand. */
import type { FileHandle } from 'node:fs/promises';

import { type DiskSystem, machineDisk } from '../../src/store/disk-system.js';

/** An error as Node makes it of a failed system call. */
export function systemError(code: string, syscall: string): Error {
  return Object.assign(new Error(`${code}: the test says so, ${syscall}`), { code, syscall });
}

/** The calls that can fail. */
export type DiskCall = 'open' | 'read' | 'write' | 'fdatasync' | 'rename' | 'mkdir' | 'fsync';

/** What is asked before every call: the code that it fails with, if it fails. `fsync` is that of a directory. */
export type Fault = (call: DiskCall, path: string) => string | undefined;

export class FailingDisk {
  fault: Fault = () => undefined;
  /** Bytes that it says are left. */
  freeBytes = 1024 ** 4;
  readonly system: DiskSystem = {
    ...machineDisk,
    open: async (path, ...rest) => {
      this.#try('open', String(path));
      return this.#watched(await machineDisk.open(path, ...rest), String(path));
    },
    mkdir: async (path, options) => {
      this.#try('mkdir', path);
      return machineDisk.mkdir(path, options);
    },
    rename: async (from, to) => {
      this.#try('rename', to);
      await machineDisk.rename(from, to);
    },
    syncDirectory: async (path) => {
      this.#try('fsync', path);
      await machineDisk.syncDirectory(path);
    },
    freeBytes: () => Promise.resolve(this.freeBytes),
  };

  /** Has one kind of call fail wherever a path has this in it. */
  fail(call: DiskCall, code: string, where = ''): void {
    this.fault = (each, path) => (each === call && path.includes(where) ? code : undefined);
  }

  /** Has everything work again. */
  heal(): void {
    this.fault = () => undefined;
  }

  #try(call: DiskCall, path: string): void {
    const code = this.fault(call, path);
    if (code !== undefined) throw systemError(code, call);
  }

  #watched(handle: FileHandle, path: string): FileHandle {
    const calls: Readonly<Record<string, DiskCall>> = {
      read: 'read',
      write: 'write',
      datasync: 'fdatasync',
    };
    return new Proxy(handle, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== 'function') return value;
        return (...args: unknown[]): unknown => {
          const call = calls[String(name)];
          if (call !== undefined) this.#try(call, path);
          return (value as (...args: unknown[]) => unknown).apply(target, args);
        };
      },
    });
  }
}
