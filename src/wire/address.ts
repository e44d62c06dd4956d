/** Network addresses as people write them: `host:port`, `:port`, `[IPv6]:port`. */
import { PeerStoreError } from '../base/errors.js';
import { limits } from '../base/limits.js';

/** A host, empty where none was named, and a port. */
export interface Address {
  /** A DNS name or an IP address without brackets. Empty: every interface for a listener, this machine for a caller. */
  readonly host: string;
  readonly port: number;
}

/**
 * Reads an address.
 * @throws PeerStoreError USAGE when it is not one.
 */
export function parseAddress(text: string): Address {
  const match =
    /^(?:\[(?<ipv6>[0-9a-f:.]*:[0-9a-f:.]*(?:%\w+)?)\]|(?<name>[^\s:[\]/]*)):(?<port>\d{1,5})$/i.exec(text);
  const port = Number(match?.groups?.['port']);
  if (match === null || port > 65_535 || text.length > limits.addressBytes) {
    throw new PeerStoreError(
      'USAGE',
      `"${text.slice(0, 80)}" is not an address; write host:port, :port or [IPv6]:port`,
    );
  }
  return { host: match.groups?.['ipv6'] ?? match.groups?.['name'] ?? '', port };
}

/** An address as text; {@link parseAddress} reads it back. */
export function formatAddress({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/**
 * The address to connect to: an empty host is this machine.
 * @throws PeerStoreError USAGE when the text is no address or its port is 0.
 */
export function addressToCall(text: string): Address {
  const { host, port } = parseAddress(text);
  if (port === 0) throw new PeerStoreError('USAGE', `"${text}" has port 0, which nobody can be called at`);
  return { host: host === '' ? 'localhost' : host, port };
}

/**
 * One spelling for each address that a caller may use.
 * @throws PeerStoreError USAGE as {@link addressToCall} does.
 */
export function canonicalAddress(text: string): string {
  return formatAddress(addressToCall(text)).toLowerCase();
}
