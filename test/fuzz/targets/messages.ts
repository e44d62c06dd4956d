/** The codec of every message: requests and answers of all methods. What was read is written, and read again, the same. */
import { isDeepStrictEqual } from 'node:util';

import { concatBytes } from '../../../src/base/bytes.js';
import { type Codec, packValue, unpackValue } from '../../../src/base/codec.js';
import { type MethodName, methods } from '../../../src/wire/catalogue.js';
import { samples } from '../samples.js';
import { type Target, unlessRefused } from '../target.js';

const names = Object.keys(methods) as MethodName[];

function codecOf(method: number, isRequest: boolean): Codec<unknown> {
  const { request, response } = methods[names[method % names.length] ?? 'ping'];
  return isRequest ? request : response;
}

/** The first byte names the method, the second the direction. */
export const messages: Target = {
  what: 'requests and answers of every method',
  seeds: () =>
    names.flatMap((name, method) =>
      samples[name].flatMap(({ request, response }) =>
        [request, response].map((value, direction) =>
          concatBytes(Uint8Array.of(method, direction), packValue(codecOf(method, direction === 0), value)),
        ),
      ),
    ),
  read: (input) => {
    const [method = 0, direction = 0] = input;
    const codec = codecOf(method, direction % 2 === 0);
    const value = unlessRefused(['PROTOCOL'], () => unpackValue(codec, input.subarray(2), 'message'));
    if (value === undefined) return;
    const again = unpackValue(codec, Uint8Array.from(packValue(codec, value)), 'message');
    if (!isDeepStrictEqual(again, value)) throw new Error('what was read cannot be written and read again');
  },
};
