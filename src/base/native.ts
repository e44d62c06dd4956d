/**
 * The two calls of the C library that Node does not offer: an exclusive lock that ends with its process, and file
 * times to the nanosecond (Node's own go through a double and lose the last digits). koffi calls them without a
 * compiler; where it has no build for a platform, {@link libc} is undefined.
 */
import { createRequire } from 'node:module';

import type Koffi from 'koffi';

interface LibC {
  /** flock(2), exclusive, without waiting. @returns whether the lock is ours now. */
  tryLock(fd: number): boolean;
  /** utimensat(2) on the path itself, never on what a link points to. @returns whether it worked. */
  setTimes(path: Uint8Array, accessNs: bigint, modifyNs: bigint): boolean;
}

const lockExclusive = 2;
const lockNonBlocking = 4;
const atFdCwd = process.platform === 'darwin' ? -2 : -100;
const atSymlinkNoFollow = process.platform === 'darwin' ? 0x20 : 0x100;
const nsPerSecond = 1_000_000_000n;

function load(): LibC | undefined {
  try {
    const koffi = createRequire(import.meta.url)('koffi') as typeof Koffi;
    const own = koffi.load(null);
    const flock = own.func('int flock(int fd, int operation)') as (fd: number, operation: number) => number;
    const utimensat = own.func(
      'int utimensat(int dir, const uint8_t *path, const int64_t *times, int flags)',
    ) as (dir: number, path: Uint8Array, times: BigInt64Array, flags: number) => number;
    const timespec = (ns: bigint): [bigint, bigint] => {
      const rest = ((ns % nsPerSecond) + nsPerSecond) % nsPerSecond;
      return [(ns - rest) / nsPerSecond, rest];
    };
    return {
      tryLock: (fd) => flock(fd, lockExclusive | lockNonBlocking) === 0,
      setTimes: (path, accessNs, modifyNs) => {
        const times = new BigInt64Array([...timespec(accessNs), ...timespec(modifyNs)]);
        return utimensat(atFdCwd, Buffer.concat([path, Buffer.of(0)]), times, atSymlinkNoFollow) === 0;
      },
    };
  } catch {
    return undefined;
  }
}

/** The C library's calls, where the platform has them (64-bit, not Windows). */
export const libc: LibC | undefined = process.platform === 'win32' ? undefined : load();
