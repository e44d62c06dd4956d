import PQueue from 'p-queue';

/**
 * Does something with each of many, some at a time, and waits for all.
 * @throws the first error, when what was begun is over; the rest is not begun.
 */
export async function eachAtOnce<T>(
  all: readonly T[],
  atOnce: number,
  work: (one: T) => Promise<void>,
): Promise<void> {
  const queue = new PQueue({ concurrency: atOnce });
  try {
    await queue.addAll(all.map((one) => () => work(one)));
  } finally {
    queue.clear();
    await queue.onIdle();
  }
}
