/** What went wrong with one path of a backup or a restore, without ending it. */
import { messageOf, PeerStoreError, systemCode } from '../base/errors.js';
import { printablePath } from '../base/paths.js';

export const problemKinds = {
  unreadable: 'it could not be read, and is not in the snapshot',
  vanished: 'it was there when its directory was listed, and gone when it was to be read',
  changed: 'it changed while it was read; what was read is in the snapshot',
  skipped: 'a socket, FIFO or device: these are not backed up',
  refused: 'the archive asks for something that a restore never does',
  unwritable: 'it could not be written, and is not in the target (or the old one is still there)',
  damaged: 'its content is missing or damaged; it was not restored',
  metadata: 'it was restored, but its owner, mode or time could not be set',
} as const;

export type ProblemKind = keyof typeof problemKinds;

/** One path, and what went wrong with it. */
export interface Problem {
  readonly kind: ProblemKind;
  readonly path: Uint8Array;
  /** One line for people; it names the path. */
  readonly message: string;
}

/** Takes the problems as they come up. */
export type Report = (problem: Problem) => void;

/** A problem, thrown by what cannot go on with its path. */
export class ProblemError extends PeerStoreError {
  readonly problem: Problem;

  constructor(problem: Problem, cause?: unknown) {
    super('IO', problem.message, { cause });
    this.problem = problem;
  }
}

/** A problem told in words. `path` goes before `what`. */
export function problem(kind: ProblemKind, path: Uint8Array, what: string): Problem {
  return { kind, path, message: `${printablePath(path)}: ${what}` };
}

/** What a failed system call means for a path that is being backed up. */
export function readProblem(path: Uint8Array, error: unknown): Problem {
  const code = osCode(error);
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return problem('vanished', path, 'vanished while the backup ran');
  }
  if (code === 'ELOOP') {
    return problem('vanished', path, 'was replaced by a symbolic link while the backup ran');
  }
  return problem('unreadable', path, `cannot be read: ${systemReason(error)}`);
}

/** The code of an error of the operating system (`ENOENT`); undefined for Node's own errors and ours. */
export function osCode(error: unknown): string | undefined {
  const code = systemCode(error);
  return code !== undefined && /^E[A-Z0-9]+$/.test(code) ? code : undefined;
}

/** Why a system call failed, without the path that Node puts into its messages (it may not be UTF-8). */
export function systemReason(error: unknown): string {
  const known: Readonly<Record<string, string>> = {
    EACCES: 'permission denied',
    EPERM: 'not permitted',
    ENAMETOOLONG: 'the path is longer than the system allows',
    EIO: 'the disk reports an error',
    EROFS: 'the file system is read-only',
    EISDIR: 'a directory is in the way',
    ENOTDIR: 'something that is not a directory is in the way',
    ENOTEMPTY: 'a directory that is not empty is in the way',
    EEXIST: 'something is in the way',
    ENOENT: 'its directory is gone',
    EINVAL: 'the file system does not accept it',
    EILSEQ: 'the file system does not accept the name',
  };
  const code = osCode(error);
  const words = code === undefined ? undefined : known[code];
  return words === undefined ? (code ?? messageOf(error)) : `${words} (${code})`;
}
