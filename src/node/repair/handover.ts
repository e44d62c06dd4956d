/**
 * Copies that a peer has and need not have: it stood in for another one, or the ring has grown. It sees to it that all
 * whose turn it is have them, and lets go of its own only when as many others say that they have it as there are to be copies:
 * the holders, and for those of them that have no room whoever stands in and is nearer than itself. Whoever leaves for good
 * gives the copies to those behind the holders, where some of these have no room.
 */
import type { Clock } from '../../base/clock.js';
import { isFailure, messageOf } from '../../base/errors.js';
import { limits } from '../../base/limits.js';
import type { Logger } from '../../base/log.js';
import type { Random } from '../../base/random.js';
import type { Id } from '../../ring/identifier.js';
import { idPlusPowerOfTwo } from '../../ring/identifier.js';
import { allKeys, type KeyRange } from '../../ring/key-range.js';
import type { PeerRef } from '../../ring/peer.js';
import type { KeyItem, Store } from '../../store/store.js';
import { majorityOf } from '../placement.js';
import { eachAtOnce } from './each-at-once.js';
import type { Exchange } from './exchange.js';
import type { Gifts } from './gifts.js';
import type { HeldArc } from './holders.js';
import { Receiver } from './receiver.js';
import type { Refusals } from './refusals.js';

export interface HandoverOptions {
  readonly store: Store;
  readonly exchange: Exchange;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** What others were given lately. */
  readonly gifts: Gifts;
  /** Who had no room lately. */
  readonly refusals: Refusals;
  /** The machine on which this peer runs. */
  readonly machine: Id;
  /** Who is to hold a key. @throws PeerStoreError when nobody can say. */
  readonly arcOf: (key: Id) => Promise<HeldArc>;
  /** Whether there are as many holders of some keys as there are to be. */
  readonly mayLetGo: (arc: HeldArc) => boolean;
  /** Whether this peer is to be empty in the end. */
  readonly isLeaving: boolean;
}

/** How far a look at all keys has come. */
export interface Handover {
  /** How many copies were let go. */
  readonly dropped: number;
  /** Where to go on; undefined when all keys were looked at. */
  readonly next: Id | undefined;
}

/** One look, for as long as it takes or may take. */
interface Round extends HandoverOptions {
  readonly isOver: () => boolean;
  /** Whoever does not answer in a round, or has no room, is not asked about each of its pages anew. */
  readonly receiverOf: (holder: PeerRef) => Receiver;
}

/**
 * Looks at the keys of a peer from one on, for a while: its own keys must not wait until everything is handed over, and
 * whose turn it is changes.
 * @throws PeerStoreError CANCELLED, or what arcOf says.
 */
export async function handOver(options: HandoverOptions, from: Id): Promise<Handover> {
  const { store, clock, machine, arcOf } = options;
  const untilMs = clock.monotonicMs() + limits.repairSliceMs;
  const isOver = (): boolean => clock.monotonicMs() >= untilMs;
  const receivers = new Map<Id, Receiver>();
  const receiverOf = (holder: PeerRef): Receiver => {
    const receiver = receivers.get(holder.id) ?? new Receiver({ ...options, isOver }, holder);
    receivers.set(holder.id, receiver);
    return receiver;
  };
  const round: Round = { ...options, isOver, receiverOf };
  let dropped = 0;
  let rest: KeyRange | undefined = { first: from, last: allKeys.last };
  while (rest !== undefined) {
    if (isOver()) return { dropped, next: rest.first };
    const [next]: readonly KeyItem[] = await store.items(rest, 1);
    if (next === undefined) break;
    const arc = await arcOf(next.id);
    const range: KeyRange = { first: next.id, last: next.id <= arc.upTo ? arc.upTo : allKeys.last };
    let { last } = range;
    if (!arc.present.some((peer) => peer.machine === machine)) {
      const items = await store.items(range, limits.heldItems);
      if (items.length === limits.heldItems) last = items.at(-1)?.id ?? last;
      dropped += await handOverPage(round, items, arc);
    }
    rest = after(last);
  }
  return { dropped, next: undefined };
}

async function handOverPage(round: Round, items: readonly KeyItem[], arc: HeldArc): Promise<number> {
  const { isLeaving, isOver, receiverOf } = round;
  const receivers = arc.present.map(receiverOf);
  await Promise.all(receivers.map((receiver) => receiver.bring(items)));
  if (receivers.length === 0 || !round.mayLetGo(arc)) return 0;
  const having = new Map(items.map((item): [KeyItem, Receiver[]] => [item, []]));
  const ask = async (receiver: Receiver, some: readonly KeyItem[]): Promise<void> => {
    const held = await receiver.holds(some);
    for (const [at, item] of some.entries()) if (held[at] === true) having.get(item)?.push(receiver);
  };
  const isEnough = (item: KeyItem): boolean => (having.get(item)?.length ?? 0) >= arc.present.length;
  // All of them are asked again: handing over took a while, in which somebody may have lost its disk.
  await Promise.all(receivers.map((receiver) => ask(receiver, items)));
  for (const receiver of standInsFor(round, arc).map(receiverOf)) {
    const rest = items.filter((item) => !isEnough(item));
    if (rest.length === 0 || isOver()) break;
    if (isLeaving) await receiver.bring(rest);
    await ask(receiver, rest);
  }
  let dropped = 0;
  await eachAtOnce(items.filter(isEnough), limits.repairsAtOnce, async (item) => {
    if (!isOver() && (await letGo(round, item, arc, having.get(item) ?? []))) dropped += 1;
  });
  return dropped;
}

/**
 * Those whose copies count like a holder's without room. Whoever stays is itself one that stands in, and counts those before
 * it alone: of two that need not have a copy, only one relies on the other.
 */
function standInsFor({ isLeaving, machine }: Round, { standIns }: HeldArc): readonly PeerRef[] {
  const own = standIns.findIndex((peer) => peer.machine === machine);
  return own === -1 ? standIns : [...standIns.slice(0, own), ...(isLeaving ? standIns.slice(own + 1) : [])];
}

/** @returns whether the copy is gone, from the trash as well: the bytes that lie there go along to the trash of others. */
async function letGo(
  round: Round,
  item: KeyItem,
  arc: HeldArc,
  having: readonly Receiver[],
): Promise<boolean> {
  const { store, log } = round;
  try {
    if (await store.dropItem(item)) return true;
    return (await isInTrashOf(round, item, arc, having)) && (await store.dropItem(item, { andTrash: true }));
  } catch (error) {
    if (!isFailure(error)) throw error;
    log.debug('a surplus copy could not be let go of', { id: item.id, error: messageOf(error) });
    return false;
  }
}

/**
 * Hands on the bytes of a block that lies in the trash here. A peer that leaves does not wait for holders that have no room
 * for rubbish: others take it in their stead, and where nobody else has room, a majority that has it is enough.
 * @returns whether enough have them.
 */
async function isInTrashOf(
  round: Round,
  item: KeyItem,
  arc: HeldArc,
  having: readonly Receiver[],
): Promise<boolean> {
  const wanted = arc.present.length;
  const answers = await Promise.all(having.map((receiver) => receiver.keepTrash(item)));
  const kept = (): number => answers.filter((answer) => answer === 'kept').length;
  const standIns = round.isLeaving ? standInsFor(round, arc).map(round.receiverOf) : [];
  for (const receiver of standIns) {
    if (kept() >= wanted || round.isOver()) break;
    if (!having.includes(receiver)) answers.push(await receiver.keepTrash(item));
  }
  if (kept() >= wanted) return true;
  return round.isLeaving && !answers.includes('not known') && kept() >= majorityOf(wanted);
}

/** The keys behind one. */
function after(last: Id): KeyRange | undefined {
  return last >= allKeys.last ? undefined : { first: idPlusPowerOfTwo(last, 0), last: allKeys.last };
}
