/**
 * The paths that a backup was given, as a tree below `/`: which directories only lead to one of them, and which things
 * are to be taken whole. Paths may be nested in each other.
 */
import { asBuffer } from '../base/bytes.js';
import { PeerStoreError } from '../base/errors.js';
import type { FileInfo, FileSystem } from '../base/filesystem.js';
import { absolutePath, joinPath, pathComponents, printablePath, rootPath } from '../base/paths.js';
import { systemReason } from './problem.js';

/** One name on the way to a given path, or the path itself. */
export interface GivenNode {
  readonly name: Uint8Array;
  /** Whether the path that ends here was given. */
  given: boolean;
  readonly children: Map<string, GivenNode>;
}

/** The child of a node for a name, if a given path goes through it. */
export function childOf(node: GivenNode | undefined, name: Uint8Array): GivenNode | undefined {
  return node?.children.get(keyOf(name));
}

/**
 * Looks at every given path.
 * @param paths absolute, or relative to `cwd`; `.` and `..` are resolved by the text alone
 * @throws PeerStoreError USAGE for a path that is empty, not there or out of reach, and for one that lies behind a
 *   symbolic link which another given path records as a link.
 */
export async function givenTree(
  fileSystem: FileSystem,
  cwd: Uint8Array,
  paths: readonly Uint8Array[],
): Promise<GivenNode> {
  if (paths.length === 0) throw new PeerStoreError('USAGE', 'name at least one path to back up');
  const root = emptyNode(new Uint8Array(0));
  for (const path of paths) {
    if (path.length === 0 || path.includes(0)) {
      throw new PeerStoreError('USAGE', `"${printablePath(path)}" is not a path`);
    }
    let node = root;
    const components = pathComponents(cwd, path);
    for (const name of components) {
      const next = childOf(node, name) ?? emptyNode(name);
      node.children.set(keyOf(name), next);
      node = next;
    }
    node.given = true;
    await lookAt(fileSystem, absolutePath(components));
  }
  await refuseHiddenPaths(fileSystem, root);
  return root;
}

function emptyNode(name: Uint8Array): GivenNode {
  return { name, given: false, children: new Map() };
}

/** Latin-1 maps each byte to one character, so that different names have different keys. */
function keyOf(name: Uint8Array): string {
  return asBuffer(name).toString('latin1');
}

async function lookAt(fileSystem: FileSystem, path: Uint8Array): Promise<FileInfo> {
  try {
    return await fileSystem.lstat(path);
  } catch (error) {
    const why = systemReason(error);
    throw new PeerStoreError(
      'USAGE',
      why.includes('ENOENT') || why.includes('ENOTDIR')
        ? `there is no ${printablePath(path)} to back up`
        : `cannot back up ${printablePath(path)}: ${why}`,
      { cause: error },
    );
  }
}

/**
 * A link inside a given directory is recorded as a link, so that what another given path names behind it would
 * silently be left out.
 */
async function refuseHiddenPaths(fileSystem: FileSystem, root: GivenNode): Promise<void> {
  const todo = [{ node: root, path: rootPath, whole: root.given }];
  for (let item = todo.pop(); item !== undefined; item = todo.pop()) {
    if (item.node.children.size === 0) continue;
    if (item.whole && (await lookAt(fileSystem, item.path)).type === 'symlink') {
      const link = printablePath(item.path);
      throw new PeerStoreError(
        'USAGE',
        `${link} is a symbolic link and is backed up as one, but a path behind it was given too: ` +
          'give the place that it leads to instead',
      );
    }
    for (const child of item.node.children.values()) {
      todo.push({
        node: child,
        path: joinPath(item.path, child.name),
        whole: item.whole || child.given,
      });
    }
  }
}
