/** Uses a cache until more than one commit has begun, and is killed. */
import { utf8 } from '../../src/base/bytes.js';
import { systemClock } from '../../src/base/clock.js';
import { limits } from '../../src/base/limits.js';
import { LmdbCache } from '../../src/base/lmdb-cache.js';
import { silentLogger } from '../../src/base/log.js';
import { systemRandom } from '../../src/base/random.js';

const cache = await LmdbCache.open({
  directory: process.argv[2] ?? '',
  tables: ['a', 'b'],
  clock: systemClock,
  random: systemRandom,
  log: silentLogger,
});
for (let round = 0; round < 20; round += 1) {
  for (let at = 0; at < limits.cacheCommitEntries; at += 1) {
    cache.set('b', utf8(`key ${round * limits.cacheCommitEntries + at}`), utf8('of the child'));
  }
  await new Promise((resolve) => setTimeout(resolve, 50));
}
process.kill(process.pid, 'SIGKILL');
