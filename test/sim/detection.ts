/**
 * How soon the ring notices that a peer is dead, and how often it takes a living one for dead; told from the pointers.
 *
 * A crash is noticed by a neighbour when its pointers do not name the dead peer any more. An alarm is false when a peer's
 * first successor or predecessor, which is up and about, makes room for one that lies farther away.
 */
import type { Id } from '../../src/ring/identifier.js';
import { between } from '../../src/ring/interval.js';
import type { PeerRef } from '../../src/ring/peer.js';
import type { RingState } from '../../src/ring/state.js';
import { Tally } from './figures.js';
import type { SimulatedPeer } from './peer.js';
import type { PeerObserver, World } from './world.js';

/** A crash that not all have noticed. */
interface Unnoticed {
  readonly sinceMs: number;
  /** Those who still point to the dead peer. */
  readonly by: Set<Id>;
  firstMs: number | undefined;
}

export interface DetectionFigures {
  /** From a crash to the first and to the last neighbour that dropped the dead peer, in milliseconds. */
  readonly firstDropMeanMs: number;
  readonly firstDropP99Ms: number;
  readonly firstDropMaxMs: number;
  readonly lastDropMeanMs: number;
  readonly lastDropP99Ms: number;
  readonly lastDropMaxMs: number;
  /** Crashes that all had noticed before the peer came back. */
  readonly noticed: number;
  /** Neighbours taken for dead that were up, running, and within reach in both directions. */
  readonly falseAlarms: number;
  readonly falseAlarmsAPeerHour: number;
  /** The same, where a cut lay in between. */
  readonly alarmsAcrossCuts: number;
}

export class Detection implements PeerObserver {
  readonly #world: World;
  readonly #first = new Tally();
  readonly #last = new Tally();
  readonly #unnoticed = new Map<Id, Unnoticed>();
  readonly #peers = new Map<Id, SimulatedPeer>();
  #states: ReadonlyMap<Id, RingState> = new Map();
  #falseAlarms = 0;
  #alarmsAcrossCuts = 0;
  #peerMs = 0;
  #lookedAtMs: number;
  readonly #look = (): void => this.#compare();

  constructor(world: World) {
    this.#world = world;
    this.#lookedAtMs = world.clock.monotonicMs();
    world.observers.push(this);
    world.listeners.add(this.#look);
    this.#compare();
  }

  /** Counts no further. */
  stop(): void {
    this.#compare();
    this.#world.listeners.delete(this.#look);
    this.#unnoticed.clear();
  }

  crashed({ id }: SimulatedPeer): void {
    const by = [...this.#world.checker.live.values()].filter(
      (state) => state.self.id !== id && pointsTo(state, id),
    );
    if (by.length === 0) return;
    this.#unnoticed.set(id, {
      sinceMs: this.#world.clock.monotonicMs(),
      by: new Set(by.map(({ self }) => self.id)),
      firstMs: undefined,
    });
  }

  figures(): DetectionFigures {
    const hours = this.#peerMs / 3_600_000;
    return {
      firstDropMeanMs: Math.round(this.#first.mean),
      firstDropP99Ms: Math.round(this.#first.percentile(0.99)),
      firstDropMaxMs: Math.round(this.#first.percentile(1)),
      lastDropMeanMs: Math.round(this.#last.mean),
      lastDropP99Ms: Math.round(this.#last.percentile(0.99)),
      lastDropMaxMs: Math.round(this.#last.percentile(1)),
      noticed: this.#last.count,
      falseAlarms: this.#falseAlarms,
      falseAlarmsAPeerHour: hours === 0 ? 0 : Math.round((100 * this.#falseAlarms) / hours) / 100,
      alarmsAcrossCuts: this.#alarmsAcrossCuts,
    };
  }

  #compare(): void {
    const { checker, clock, peers } = this.#world;
    const nowMs = clock.monotonicMs();
    this.#peerMs += this.#states.size * (nowMs - this.#lookedAtMs);
    this.#lookedAtMs = nowMs;
    for (const peer of peers.slice(this.#peers.size)) this.#peers.set(peer.id, peer);
    const before = this.#states;
    this.#states = new Map(checker.live);
    for (const id of this.#unnoticed.keys()) if (this.#states.has(id)) this.#unnoticed.delete(id);
    for (const [id, after] of this.#states) {
      const state = before.get(id);
      if (state === undefined || state === after) continue;
      for (const dropped of droppedNeighbours(state, after)) this.#alarm(id, dropped);
    }
    for (const [id, crash] of this.#unnoticed) this.#notice(id, crash, nowMs);
  }

  #notice(id: Id, crash: Unnoticed, nowMs: number): void {
    for (const neighbour of crash.by) {
      const state = this.#states.get(neighbour);
      if (state !== undefined && pointsTo(state, id)) continue;
      crash.by.delete(neighbour);
      // Who died, or restarted, itself has noticed nothing.
      if (state !== undefined) crash.firstMs ??= nowMs - crash.sinceMs;
    }
    if (crash.by.size > 0) return;
    this.#unnoticed.delete(id);
    if (crash.firstMs === undefined) return;
    this.#first.add(crash.firstMs);
    this.#last.add(nowMs - crash.sinceMs);
  }

  #alarm(by: Id, about: Id): void {
    const { faults } = this.#world;
    const [accuser, accused] = [this.#peers.get(by), this.#peers.get(about)];
    if (accuser === undefined || accused === undefined || !this.#states.has(about)) return;
    if (accused.isPaused || accused.isLeaving) return;
    const isCut =
      faults.isCut(accuser.address, accused.address) || faults.isCut(accused.address, accuser.address);
    if (isCut) this.#alarmsAcrossCuts += 1;
    else this.#falseAlarms += 1;
  }
}

function pointsTo({ predecessor, successors }: RingState, id: Id): boolean {
  return predecessor?.id === id || successors.some((peer) => peer.id === id);
}

/** The neighbours on both sides that a peer gave up for nobody, or for one that lies farther away. */
function droppedNeighbours(before: RingState, after: RingState): readonly Id[] {
  const { id } = before.self;
  const isGone = (old: PeerRef | null | undefined, now: PeerRef | null | undefined, isNearer: boolean) =>
    old !== null && old !== undefined && old.id !== now?.id && !isNearer;
  const [head, newHead] = [before.successors[0], after.successors[0]];
  const [tail, newTail] = [before.predecessor, after.predecessor];
  const dropped: Id[] = [];
  if (isGone(head, newHead, newHead !== undefined && between(id, newHead.id, head?.id ?? id)))
    dropped.push(head!.id);
  if (isGone(tail, newTail, newTail !== null && between(tail?.id ?? id, newTail.id, id)))
    dropped.push(tail!.id);
  return dropped;
}
