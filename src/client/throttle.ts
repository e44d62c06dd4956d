/** A bound on how many bytes of bodies a client sends and receives a second, around any transport. */
import { type Clock, sleep } from '../base/clock.js';
import type { MethodName, RequestOf } from '../wire/catalogue.js';
import type { CallOptions, Dispatch, Endpoint, Listener, Reply, Transport } from '../wire/transport.js';

export interface Rates {
  /** Bytes a second; undefined is no bound. */
  readonly uploadBytesPerS?: number;
  readonly downloadBytesPerS?: number;
}

/** Bytes that may pass at once after a pause: a quarter of a second's worth. */
const burstSeconds = 0.25;

/**
 * A token bucket that may be in debt: whoever takes more than there is waits until the debt is paid, and those behind
 * wait in their order. So a body larger than the bucket passes too, and the average holds.
 */
export class TokenBucket {
  readonly #clock: Clock;
  readonly #bytesPerMs: number;
  readonly #burstBytes: number;
  #bytes: number;
  #atMs: number;
  #last: Promise<void> = Promise.resolve();

  /** @param bytesPerS at least 1 */
  constructor(clock: Clock, bytesPerS: number) {
    this.#clock = clock;
    this.#bytesPerMs = bytesPerS / 1000;
    this.#burstBytes = bytesPerS * burstSeconds;
    this.#bytes = this.#burstBytes;
    this.#atMs = clock.monotonicMs();
  }

  /**
   * Takes the bytes, and resolves when they may pass.
   * @throws PeerStoreError CANCELLED when the signal fires first; the bytes stay taken.
   */
  take(sizeBytes: number, signal?: AbortSignal): Promise<void> {
    const mine = this.#last.then(() => this.#take(sizeBytes, signal));
    this.#last = mine.catch(() => undefined);
    return mine;
  }

  async #take(sizeBytes: number, signal: AbortSignal | undefined): Promise<void> {
    const nowMs = this.#clock.monotonicMs();
    const earned = (nowMs - this.#atMs) * this.#bytesPerMs;
    this.#bytes = Math.min(this.#burstBytes, this.#bytes + earned) - sizeBytes;
    this.#atMs = nowMs;
    if (this.#bytes < 0) await sleep(this.#clock, -this.#bytes / this.#bytesPerMs, signal);
  }
}

/**
 * The transport, slowed down. A request's body waits before it is sent, and its deadline begins after that; an answer
 * waits before it is handed on, so that its receiver asks for less.
 */
export function throttled(transport: Transport, clock: Clock, rates: Rates): Transport {
  const { uploadBytesPerS, downloadBytesPerS } = rates;
  if (uploadBytesPerS === undefined && downloadBytesPerS === undefined) return transport;
  const bucket = (bytesPerS: number | undefined): TokenBucket | undefined =>
    bytesPerS === undefined ? undefined : new TokenBucket(clock, bytesPerS);
  const [upload, download] = [bucket(uploadBytesPerS), bucket(downloadBytesPerS)];
  return {
    call: async <M extends MethodName>(
      to: Endpoint,
      method: M,
      request: RequestOf<M>,
      options: CallOptions = {},
    ): Promise<Reply<M>> => {
      const sentBytes = options.body?.length ?? 0;
      if (upload !== undefined && sentBytes > 0) await upload.take(sentBytes, options.signal);
      const reply = await transport.call(to, method, request, options);
      if (download !== undefined && reply.body.length > 0) {
        await download.take(reply.body.length, options.signal);
      }
      return reply;
    },
    listen: (address: string, dispatch: Dispatch): Promise<Listener> => transport.listen(address, dispatch),
    close: () => transport.close(),
  };
}
