/**
 * What has been published of Chord, to stand beside. SIGCOMM is Stoica, Morris, Karger, Kaashoek, Balakrishnan, "Chord: A
 * scalable peer-to-peer lookup service for Internet applications" (2001); ToN is the article of the same group in IEEE/ACM
 * Transactions on Networking 11(1) (2003).
 */

/** SIGCOMM, figure 10a, read off the plot: hops of a lookup in a ring of `peers`. */
export const publishedPaths = [
  { peers: 8, mean: 1.72, p99: 3 },
  { peers: 16, mean: 2.09, p99: 4 },
  { peers: 32, mean: 2.49, p99: 5 },
  { peers: 64, mean: 2.96, p99: 5 },
  { peers: 128, mean: 3.39, p99: 6 },
  { peers: 256, mean: 3.88, p99: 7 },
  { peers: 512, mean: 4.38, p99: 7 },
  { peers: 1024, mean: 4.89, p99: 8 },
  { peers: 2048, mean: 5.36, p99: 9 },
  { peers: 4096, mean: 5.85, p99: 10 },
  { peers: 8192, mean: 6.35, p99: 10 },
  { peers: 16_384, mean: 6.87, p99: 11 },
] as const;

/** ToN, table II: 1000 peers with lists of 20, of which a fraction fails at once; 10,000 lookups, none of them failed. */
export const publishedFailures = [
  { fraction: 0, path: 3.84, timeouts: 0 },
  { fraction: 0.1, path: 4.03, timeouts: 0.6 },
  { fraction: 0.2, path: 4.22, timeouts: 1.17 },
  { fraction: 0.3, path: 4.44, timeouts: 2.02 },
  { fraction: 0.4, path: 4.69, timeouts: 3.23 },
  { fraction: 0.5, path: 5.09, timeouts: 5.1 },
] as const;

/** ToN, load balance: percentiles of keys a node, 10^4 nodes with `vnodes` places each and 10^6 keys. */
export const publishedLoads = [
  { vnodes: 1, p1: 0, p99: 477 },
  { vnodes: 2, p1: 7, p99: 347 },
  { vnodes: 5, p1: 24, p99: 220 },
  { vnodes: 10, p1: 38, p99: 186 },
  { vnodes: 20, p1: 50, p99: 161 },
] as const;
