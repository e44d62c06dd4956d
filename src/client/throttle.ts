/** A bound on how many bytes of bodies a client sends and receives a second, around any transport. */
import type { Clock } from '../base/clock.js';
import { TokenBucket } from '../base/token-bucket.js';
import type { MethodName, RequestOf } from '../wire/catalogue.js';
import type { CallOptions, Dispatch, Endpoint, Listener, Reply, Transport } from '../wire/transport.js';

export interface Rates {
  /** Bytes a second; undefined is no bound. */
  readonly uploadBytesPerS?: number;
  readonly downloadBytesPerS?: number;
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
