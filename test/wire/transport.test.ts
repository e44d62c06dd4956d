import { systemClock } from '../../src/base/clock.js';
import { seededRandom } from '../../src/base/random.js';
import { MemoryNetwork } from '../../src/wire/memory.js';
import { createTlsTransport } from '../../src/wire/tls.js';
import {
  type Authority,
  identify,
  type Issued,
  issue,
  makeAuthority,
  peerIdentity,
  userIdentity,
} from './certificates.js';
import { collectingLogger } from './helpers.js';
import { describeTransport } from './transport.conformance.js';

describe('transports', () => {
  let authority: Authority;
  const issued = new Map<string, Issued>();

  before(async () => {
    authority = await makeAuthority();
    for (const name of ['peer server', 'peer other', 'user client'])
      issued.set(name, await issue(authority, name));
  });

  describeTransport('TLS', () => {
    const { log, lines } = collectingLogger('error');
    return {
      errors: lines,
      transport: (kind, name) =>
        createTlsTransport({
          clock: systemClock,
          log,
          identify,
          ...(kind === 'stranger'
            ? { authorityFingerprint: authority.fingerprint }
            : { credentials: issued.get(`${kind} ${name}`)!.credentials }),
        }),
    };
  });

  describeTransport('memory', () => {
    const { log, lines } = collectingLogger('error');
    const network = new MemoryNetwork({ clock: systemClock, random: seededRandom(1), log });
    return {
      errors: lines,
      transport: (kind, name) =>
        network.transport(
          kind === 'peer' ? peerIdentity(name) : kind === 'user' ? userIdentity(name) : { kind },
        ),
    };
  });
});
