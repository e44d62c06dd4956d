/** Looks at a ring of real processes as a user may: what each peer has for pointers, and where its lookups lead. */
import { systemClock } from '../../src/base/clock.js';
import { PeerStoreError } from '../../src/base/errors.js';
import { silentLogger } from '../../src/base/log.js';
import { certificateToPem, identify } from '../../src/identity/certificate.js';
import { readKeyFile } from '../../src/identity/key-file.js';
import type { Id } from '../../src/ring/identifier.js';
import { lookup } from '../../src/ring/lookup.js';
import type { PeerRef } from '../../src/ring/peer.js';
import type { LookupStep } from '../../src/ring/routing.js';
import type { Neighbourhood } from '../../src/ring/state.js';
import { createTlsTransport } from '../../src/wire/tls.js';
import type { Transport } from '../../src/wire/transport.js';

export class RingProbe {
  readonly #transport: Transport;

  private constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** @param keyFile of a user of the ring, without a passphrase */
  static async open(keyFile: string): Promise<RingProbe> {
    const { device, membership } = await readKeyFile(keyFile, undefined);
    if (membership === undefined) throw new Error(`${keyFile} belongs to no ring`);
    const { certificate, authority } = membership;
    const transport = createTlsTransport({
      clock: systemClock,
      log: silentLogger,
      credentials: {
        privateKeyPem: device.toPem(),
        certificatePem: certificateToPem(certificate),
        authorityPem: certificateToPem(authority.der),
      },
      identify: (leafDer) => identify(leafDer, authority, systemClock.nowMs()),
    });
    return new RingProbe(transport);
  }

  /** The pointers of the peer at an address. */
  async pointers(address: string): Promise<Neighbourhood> {
    return (await this.#transport.call({ address }, 'successorList', {})).response;
  }

  /**
   * Looks keys up, beginning at one peer.
   * @returns who is responsible for each and has answered itself; undefined where a lookup failed.
   */
  async owners(address: string, keys: readonly Id[]): Promise<readonly (Id | undefined)[]> {
    const { self } = await this.pointers(address);
    const owners: (Id | undefined)[] = [];
    for (const key of keys) {
      const ask = async (peer: PeerRef): Promise<LookupStep> =>
        (await this.#transport.call(peer, 'successor', { key })).response;
      try {
        owners.push((await lookup(key, [self], { ask, confirm: true })).peers[0]?.id);
      } catch (error) {
        if (!(error instanceof PeerStoreError)) throw error;
        owners.push(undefined);
      }
    }
    return owners;
  }

  close(): Promise<void> {
    return this.#transport.close();
  }
}
