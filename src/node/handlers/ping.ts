import type { Handler } from './handler.js';

/** Says that the peer is there. */
export const pingHandler: Handler<'ping'> = () => ({ response: {} });
