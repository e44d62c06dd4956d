import { PeerStoreError } from '../../base/errors.js';
import type { Store } from '../../store/store.js';
import { answersOf } from '../repair/comparison.js';
import type { Handler } from './handler.js';

/** In what this peer's keys differ from the caller's. */
export function compareRangesHandler(store: Store): Handler<'compareRanges'> {
  return async ({ request: { ranges } }) => {
    if (ranges.some(({ first, last }) => first > last))
      throw new PeerStoreError('PROTOCOL', 'a range of keys ends before it begins');
    return { response: { answers: await answersOf(store, ranges) } };
  };
}
