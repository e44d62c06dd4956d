import { join } from 'node:path';

import { expect } from 'chai';

import { systemClock } from '../../src/base/clock.js';
import { type ErrorCode, PeerStoreError } from '../../src/base/errors.js';
import { seededRandom } from '../../src/base/random.js';
import { enrollThrough } from '../../src/identity/enroll-call.js';
import { answerEnroll } from '../../src/identity/enrollment.js';
import { InviteLedger } from '../../src/identity/invite-ledger.js';
import type { Invite } from '../../src/identity/invite.js';
import { MemoryNetwork } from '../../src/wire/memory.js';
import type { RequestOf } from '../../src/wire/catalogue.js';
import type { Outcome, Transport } from '../../src/wire/transport.js';
import { peerIdentity } from '../wire/certificates.js';
import { dispatchWith } from '../wire/helpers.js';
import { failure, keyNumber, minuteMs, startMs, testRing, withDirectory } from './tools.js';

interface Newcomer {
  readonly transport: Transport;
  readonly invite: Invite;
  readonly key: ReturnType<typeof keyNumber>;
  /** Has a peer that holds the authority's key listen there. */
  readonly office: (address: string) => Promise<unknown>;
  /** Has a peer listen there that answers with this error. */
  readonly refusing: (address: string, code: ErrorCode) => Promise<unknown>;
}

function withNewcomer(run: (newcomer: Newcomer) => Promise<void>): () => Promise<void> {
  return () =>
    withDirectory(async (dir) => {
      const ring = await testRing();
      const ledger = await InviteLedger.open(join(dir, 'invites.json'), ring);
      const network = new MemoryNetwork({ clock: systemClock, random: seededRandom(1) });
      const expiresAtMs = startMs + minuteMs;
      const { certificate } = ring.authority;
      const listen = (
        address: string,
        answer: (request: unknown) => Promise<Outcome<never>>,
      ): Promise<unknown> =>
        network.transport(peerIdentity(address)).listen(
          address,
          dispatchWith(({ request }) => answer(request)),
        );
      await run({
        transport: network.transport({ kind: 'stranger' }),
        key: keyNumber(11),
        invite: {
          kind: 'peer',
          addresses: ['a:1'],
          fingerprint: certificate.fingerprint,
          secret: await ledger.create('peer', undefined, expiresAtMs),
          expiresAtMs,
        },
        office: (address) =>
          listen(address, async (request) => ({
            response: {
              certificate: await answerEnroll(
                { authority: ring.authority, ledger },
                request as RequestOf<'enroll'>,
              ),
              authority: certificate.der,
              peers: [],
            },
          })),
        refusing: (address, code) =>
          listen(address, () => Promise.reject(new PeerStoreError(code, 'refused there'))),
      });
    });
}

describe('showing an invite over the network', () => {
  it(
    'goes on to the next address where nobody answers, is busy, or may not admit',
    withNewcomer(async ({ transport, invite, key, office, refusing }) => {
      await refusing('busy:1', 'BUSY');
      await refusing('plain:1', 'NOT_RESPONSIBLE');
      await office('office:1');
      const addresses = ['nobody:1', 'busy:1', 'plain:1', 'office:1'];
      const enrolled = await enrollThrough(transport, addresses, invite, { key }, startMs);
      expect([enrolled.identity.kind, enrolled.through]).to.deep.equal(['peer', 'office:1']);
    }),
  );

  it(
    'ends at a refusal, and shows the secret to nobody after it',
    withNewcomer(async ({ transport, invite, key, office, refusing }) => {
      await refusing('no:1', 'NOT_ADMITTED');
      await office('office:1');
      await failure('NOT_ADMITTED', () =>
        enrollThrough(transport, ['no:1', 'office:1'], invite, { key }, startMs),
      );
    }),
  );

  it(
    'names every address when no peer admits',
    withNewcomer(async ({ transport, invite, key, refusing }) => {
      await refusing('plain:1', 'NOT_RESPONSIBLE');
      const error = await failure('UNREACHABLE', () =>
        enrollThrough(transport, ['nobody:1', 'plain:1'], invite, { key }, startMs),
      );
      expect(error.message).to.contain('nobody:1').and.to.contain('plain:1 (refused there)');
    }),
  );
});
