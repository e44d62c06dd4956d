/** What the threads of threads.test.ts do. */
import { PeerStoreError } from '../../src/base/errors.js';
import { serveJobs } from '../../src/base/threads.js';

serveJobs({
  double: (bytes: Uint8Array) => {
    const value = bytes.map((byte) => 2 * byte);
    return { value, transfer: [value.buffer] };
  },
  refuse: (what: string) => {
    throw new PeerStoreError('NO_SPACE', `no ${what}`);
  },
  die: (code: number) => process.exit(code),
});
