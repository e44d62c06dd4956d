/**
 * Starts work on the items of a stream before their results are asked for, within a bound, and gives the results in order.
 * An error comes at its place in the order; when the consumer leaves early, what was started ends unheard.
 */
export async function* readAhead<T, R>(
  items: AsyncIterable<T>,
  start: (item: T) => Promise<R>,
  sizeOf: (item: T) => number,
  maxBytes: number,
): AsyncGenerator<R, void> {
  const started: { readonly result: Promise<R>; readonly sizeBytes: number }[] = [];
  let bytes = 0;
  let isMore = true;
  const iterator = items[Symbol.asyncIterator]();
  try {
    for (;;) {
      while (isMore && (started.length === 0 || bytes < maxBytes)) {
        const next = await iterator.next();
        if (next.done === true) {
          isMore = false;
          break;
        }
        const result = start(next.value);
        result.catch(() => undefined);
        const sizeBytes = sizeOf(next.value);
        started.push({ result, sizeBytes });
        bytes += sizeBytes;
      }
      const first = started.shift();
      if (first === undefined) return;
      yield await first.result;
      bytes -= first.sizeBytes;
    }
  } finally {
    if (isMore) await iterator.return?.(undefined);
  }
}
