/** What each thread of a backup runs: see backup-threads.ts. */
import { readSmallFile } from '../base/node-filesystem.js';
import { serveJobs } from '../base/threads.js';
import { loadCompressor } from '../archive/compress.js';
import { sealed } from '../archive/sealer.js';
import type { ReadJob, SealJob } from './backup-threads.js';

const compressor = await loadCompressor();

serveJobs({
  seal: (job: SealJob) => {
    const value = sealed(compressor, job);
    return { value, transfer: [value.bytes.buffer] };
  },
  read: ({ path, mostBytes }: ReadJob) => {
    const value = readSmallFile(path, mostBytes);
    return { value, transfer: value === undefined ? [] : [value.whole.buffer] };
  },
});
