/** What the client's folders use of the wire: the contract, and the types that its messages are made of. */
export { type Stretch, stretchOf } from '../ring/density.js';
export { type Id, idCodec, idFromBytes, idToBytes, parseId, shortId } from '../ring/identifier.js';
export { inHalfOpen } from '../ring/interval.js';
export { allKeys, keyAfter } from '../ring/key-range.js';
export { PeerCache } from '../ring/peer-cache.js';
export { isSameReference, type PeerRef } from '../ring/peer.js';
export { faultIn, type Neighbourhood, seesWholeRing } from '../ring/state.js';
export * from './catalogue.js';
export * from './identity.js';
export * from './lookup.js';
export * from './transport.js';
