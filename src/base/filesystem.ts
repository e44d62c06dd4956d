/**
 * The machine's file system, as backup and restore use it.
 *
 * Paths, names and link targets are bytes. No call follows a symbolic link at a path's last component, except
 * {@link FileSystem.stat} and {@link FileSystem.changeMode}, which say so. Errors are the system's own, with their
 * `code` (`ENOENT`, `EACCES`, `ENOSPC`...): the caller decides what each means for what it is doing.
 */

export type FileType =
  'file' | 'directory' | 'symlink' | 'fifo' | 'socket' | 'character device' | 'block device';

/** What the system says of one file of any type. */
export interface FileInfo {
  readonly type: FileType;
  /** Permission bits with set-uid, set-gid and sticky: the low 12 bits of st_mode. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly sizeBytes: number;
  /** Nanoseconds since 1970, of the content; the nearest time that fits 64 bits with sign. */
  readonly mtimeNs: bigint;
  /** Nanoseconds since 1970, of the content or the metadata: no program can set it. */
  readonly ctimeNs: bigint;
  readonly dev: bigint;
  readonly ino: bigint;
  /** How many names it has. */
  readonly nlink: number;
}

/** A file that is open for reading. */
export interface ReadableFile {
  /** All that is to be read, where opening has read it already. Its memory is the caller's. */
  readonly whole?: Uint8Array;
  info(): Promise<FileInfo>;
  /** Fills the front of `into` with what follows. @returns the bytes read; 0 at the end. */
  read(into: Uint8Array): Promise<number>;
  close(): Promise<void>;
}

/** A new file that is open for writing. */
export interface WritableFile {
  info(): Promise<FileInfo>;
  /** Writes all of `bytes` at `position`. What lies between the end and a position beyond it is a hole. */
  write(bytes: Uint8Array, position: number): Promise<void>;
  /** Makes the file exactly this long; what is new is a hole. */
  truncate(sizeBytes: number): Promise<void>;
  changeOwner(uid: number, gid: number): Promise<void>;
  changeMode(mode: number): Promise<void>;
  close(): Promise<void>;
}

export interface FileSystem {
  /** Whether this process may give files to other users: it is root. */
  readonly privileged: boolean;
  lstat(path: Uint8Array): Promise<FileInfo>;
  /** Like {@link lstat}, of what symbolic links lead to. */
  stat(path: Uint8Array): Promise<FileInfo>;
  /** The names in a directory without `.` and `..`, in no order. */
  readDirectory(path: Uint8Array): Promise<readonly Uint8Array[]>;
  readLink(path: Uint8Array): Promise<Uint8Array>;
  /** Opens for reading. Never waits, whatever is there; ELOOP when that is a symbolic link. */
  openForReading(path: Uint8Array): Promise<ReadableFile>;
  /** Makes a new empty file; EEXIST when the name is taken, by whatever. */
  createFile(path: Uint8Array, mode: number): Promise<WritableFile>;
  makeDirectory(path: Uint8Array, mode: number): Promise<void>;
  makeSymlink(target: Uint8Array, path: Uint8Array): Promise<void>;
  /** Gives a file another name. */
  link(existing: Uint8Array, path: Uint8Array): Promise<void>;
  /** Follows a symbolic link: only for a path that is known to be a directory. */
  changeMode(path: Uint8Array, mode: number): Promise<void>;
  changeOwner(path: Uint8Array, uid: number, gid: number): Promise<void>;
  /**
   * Sets the times of content and of access. To the nanosecond where the C library can be called, otherwise as exactly
   * as a double of seconds is (about a microsecond).
   */
  setTimes(path: Uint8Array, mtimeNs: bigint): Promise<void>;
  /** Gives a file another name in place of what has it. EISDIR when that is a directory. */
  rename(from: Uint8Array, to: Uint8Array): Promise<void>;
  unlink(path: Uint8Array): Promise<void>;
  /** Removes an empty directory; ENOTEMPTY when it is not. */
  removeDirectory(path: Uint8Array): Promise<void>;
}
