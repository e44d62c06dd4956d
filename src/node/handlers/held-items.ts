import type { Handler, SpreadingDeps } from './handler.js';

/** Which of the copies that another holder has this one has as well, just so, and on its disk. */
export function heldItemsHandler({
  store,
  replication,
}: Pick<SpreadingDeps, 'store' | 'replication'>): Handler<'heldItems'> {
  return async ({ request: { items } }) => {
    // Whoever leaves for good is no reason for others to let go of theirs.
    replication.requireStaying();
    return { response: { held: await Promise.all(items.map((item) => store.holdsItem(item))) } };
  };
}
