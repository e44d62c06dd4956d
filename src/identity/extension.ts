/**
 * Finds an extension in an X.509 certificate (RFC 5280, 4.1), which node:crypto does not offer. To be used on
 * certificates whose signature was checked: nothing else of them is looked at here. A library that can do it takes
 * longer to load than all the rest of a program.
 *
 *     Certificate    ::= SEQUENCE { tbsCertificate SEQUENCE { ..., [3] { SEQUENCE OF Extension } }, ... }
 *     Extension      ::= SEQUENCE { extnID OBJECT IDENTIFIER, critical BOOLEAN DEFAULT FALSE, extnValue OCTET STRING }
 */
import { asBuffer, bytesEqual } from '../base/bytes.js';
import { PeerStoreError } from '../base/errors.js';

const octetString = 0x04;
const objectIdentifier = 0x06;
const sequence = 0x30;
/** The extensions of a tbsCertificate: context-specific, constructed, 3. */
const extensionsTag = 0xa3;

interface Element {
  readonly tag: number;
  readonly content: Uint8Array;
}

/**
 * The values of the extensions with this object identifier: what is in their octet strings.
 * @param certificate DER
 * @param oid the identifier in dots
 * @throws PeerStoreError NOT_ADMITTED when the bytes are not a certificate.
 */
export function extensionValues(certificate: Uint8Array, oid: string): readonly Uint8Array[] {
  const wanted = encodeOid(oid);
  const [whole] = elements(certificate);
  const [signed] = elements(contentOf(whole, sequence));
  const found = elements(contentOf(signed, sequence)).find(({ tag }) => tag === extensionsTag);
  if (found === undefined) return [];
  const [list] = elements(found.content);
  const values: Uint8Array[] = [];
  for (const extension of elements(contentOf(list, sequence))) {
    const parts = elements(contentOf(extension, sequence));
    if (bytesEqual(contentOf(parts[0], objectIdentifier), wanted)) {
      values.push(contentOf(parts.at(-1), octetString));
    }
  }
  return values;
}

/** The elements that lie one behind the other in DER. */
function elements(bytes: Uint8Array): readonly Element[] {
  const found: Element[] = [];
  for (let at = 0; at < bytes.length;) {
    const { start, end } = extentOf(bytes, at);
    found.push({ tag: bytes[at] ?? 0, content: bytes.subarray(start, end) });
    at = end;
  }
  return found;
}

/** Where the content of the element at a place begins and ends. A certificate is shorter than 64 KiB. */
function extentOf(bytes: Uint8Array, at: number): { readonly start: number; readonly end: number } {
  const first = bytes[at + 1];
  if (first === undefined) throw unreadable();
  const lengthBytes = first < 0x80 ? 0 : first - 0x80;
  const start = at + 2 + lengthBytes;
  if (lengthBytes > 2 || first === 0x80 || start > bytes.length) throw unreadable();
  const length = lengthBytes === 0 ? first : asBuffer(bytes).readUIntBE(at + 2, lengthBytes);
  if (start + length > bytes.length) throw unreadable();
  return { start, end: start + length };
}

function contentOf(element: Element | undefined, tag: number): Uint8Array {
  if (element?.tag !== tag) throw unreadable();
  return element.content;
}

/** The content of an OBJECT IDENTIFIER: base 128, the first two numbers together (X.690, 8.19). */
function encodeOid(oid: string): Uint8Array {
  const [first = 0, second = 0, ...rest] = oid.split('.').map(Number);
  return Uint8Array.from([40 * first + second, ...rest].flatMap(base128));
}

function base128(value: number): number[] {
  const digits = [value % 128];
  for (let left = Math.floor(value / 128); left > 0; left = Math.floor(left / 128)) {
    digits.unshift(0x80 + (left % 128));
  }
  return digits;
}

function unreadable(): PeerStoreError {
  return new PeerStoreError('NOT_ADMITTED', 'the certificate cannot be read');
}
