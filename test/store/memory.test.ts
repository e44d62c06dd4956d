import { createMemoryStore } from '../../src/store/memory.js';
import { conformsToStore } from './store.conformance.js';

describe('the store in memory', () => {
  conformsToStore((options) => Promise.resolve(createMemoryStore(options)));
});
