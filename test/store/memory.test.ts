import { createMemoryStore } from '../../src/store/memory.js';
import { exchangesWithOthers } from './exchange.conformance.js';
import { type Garble, knowsItsItems } from './items.conformance.js';
import { conformsToStore, type MakeStore } from './store.conformance.js';

describe('the store in memory', () => {
  const make: MakeStore = (options) => Promise.resolve(createMemoryStore(options));
  // It hands out the very bytes that it keeps.
  const garble: Garble = async (store, { id, kind }) => {
    const value = kind === 'block' ? await store.getBlock(id) : await store.getRecord(id);
    value!.bytes[0]! ^= 1;
  };

  conformsToStore(make);
  exchangesWithOthers(make);
  knowsItsItems(make, garble);
});
