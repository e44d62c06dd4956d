import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

import { expect } from 'chai';

const root = resolve(import.meta.dirname, '../..');

/** The import table of docs/architecture.md: folder to the folders that it may import. */
function importTable(): Map<string, Set<string>> {
  const table = new Map<string, Set<string>>();
  const section = readFileSync(join(root, 'docs/architecture.md'), 'utf8').split(/^## /m)[1] ?? '';
  for (const line of section.split('\n')) {
    const row = /^\| `(\w+)` \|[^|]*\|([^|]*)\|$/.exec(line);
    if (row?.[1] === undefined || row[2] === undefined) continue;
    table.set(row[1], new Set([...row[2].matchAll(/`(\w+)`/g)].map((match) => match[1]!)));
  }
  return table;
}

/** Every relative import in a source text, static or dynamic, as a path. */
function importsOf(path: string): string[] {
  const source = readFileSync(path, 'utf8');
  const found = source.matchAll(/(?:from|import)\s*\(?\s*'(\.{1,2}\/[^']+)'/g);
  return [...found].map((match) => resolve(dirname(path), match[1]!));
}

function sourceFiles(): string[] {
  return readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(root, 'src', name));
}

const folderOf = (path: string): string => relative(join(root, 'src'), path).split('/')[0]!;

describe('the house', () => {
  const table = importTable();

  it('has a row in docs/architecture.md for every folder of src', () => {
    const folders = readdirSync(join(root, 'src'), { withFileTypes: true }).filter((entry) =>
      entry.isDirectory(),
    );
    expect([...table.keys()]).to.include.members(folders.map((entry) => entry.name));
  });

  it('has no import that docs/architecture.md does not allow', () => {
    const broken: string[] = [];
    for (const file of sourceFiles()) {
      const from = folderOf(file);
      for (const target of importsOf(file)) {
        const to = folderOf(target);
        if (to !== from && table.get(from)?.has(to) !== true) {
          broken.push(`${relative(root, file)} imports ${relative(root, target)}`);
        }
      }
    }
    expect(broken).to.deep.equal([]);
  });

  it('names the clock, timers, random, disk and network only in adapters', () => {
    const adapters = /^src\/(base\/|store\/disk|wire\/(tls|address)|cli\/|node\/admin)/;
    const named =
      /\bDate\.now\(|\bMath\.random\(|\bnew Date\(\)|'node:(fs|fs\/promises|net|tls|timers|child_process|worker_threads)'/;
    const broken = sourceFiles()
      .map((file) => ({ name: relative(root, file), source: readFileSync(file, 'utf8') }))
      .filter(({ name, source }) => !adapters.test(name) && named.test(source))
      .map(({ name }) => name);
    expect(broken).to.deep.equal([]);
  });

  it('names every runtime dependency in docs/architecture.md', () => {
    const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      dependencies: Record<string, string>;
      optionalDependencies?: Record<string, string>;
    };
    const document = readFileSync(join(root, 'docs/architecture.md'), 'utf8');
    const all = Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies });
    expect(all.filter((name) => !document.includes(`| \`${name}\` |`))).to.deep.equal([]);
  });
});
