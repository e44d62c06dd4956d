/**
 * How soon the ring notices that a peer is dead, and how often it takes a living one for dead.
 *
 * A neighbour has noticed a crash when its pointers do not name the dead peer any more. A verdict is a false alarm when
 * the peer that it is about has been running since before it was suspected; and where a cut lay between the two, it is
 * counted apart, for then nobody could be sent there.
 */
import type { Id } from '../../src/ring/identifier.js';
import type { RingState } from '../../src/ring/state.js';
import type { Verdict } from '../../src/node/liveness.js';
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

interface Suspicion {
  readonly sinceMs: number;
  readonly isAcrossCut: boolean;
}

export interface DetectionFigures {
  /** Crashes that all neighbours had noticed before the peer came back. */
  readonly noticed: number;
  /** From such a crash to the first and to the last neighbour that dropped the dead peer, in milliseconds. */
  readonly firstDetectionMsMean: number;
  readonly firstDetectionMsP99: number;
  readonly firstDetectionMsMax: number;
  readonly detectionMsMean: number;
  readonly detectionMsP99: number;
  readonly detectionMsMax: number;
  readonly suspicions: number;
  readonly falseAlarms: number;
  readonly falseAlarmsAPeerHour: number;
  readonly alarmsAcrossCuts: number;
}

export class Detection implements PeerObserver {
  readonly #world: World;
  readonly #first = new Tally();
  readonly #last = new Tally();
  readonly #unnoticed = new Map<Id, Unnoticed>();
  /** By who suspects whom. */
  readonly #suspicions = new Map<string, Suspicion>();
  #suspected = 0;
  #falseAlarms = 0;
  #alarmsAcrossCuts = 0;
  /** Time that peers have been in the ring, all together. */
  #peerMs = 0;
  #living = 0;
  #lookedAtMs: number;
  #isOver = false;

  constructor(world: World) {
    this.#world = world;
    this.#lookedAtMs = world.clock.monotonicMs();
    world.observers.push(this);
    world.listeners.add(() => this.#look());
    this.#look();
  }

  /** Counts no further. */
  stop(): void {
    this.#look();
    this.#isOver = true;
    this.#unnoticed.clear();
  }

  crashed({ id }: SimulatedPeer): void {
    if (this.#isOver) return;
    const by = new Set<Id>();
    for (const state of this.#world.checker.live.values()) {
      if (state.self.id !== id && pointsTo(state, id)) by.add(state.self.id);
    }
    if (by.size > 0) {
      this.#unnoticed.set(id, { sinceMs: this.#world.clock.monotonicMs(), by, firstMs: undefined });
    }
  }

  judged(by: SimulatedPeer, { peer: { id, address }, verdict }: Verdict): void {
    if (this.#isOver) return;
    const { clock, faults } = this.#world;
    const key = `${by.address} ${address}`;
    const isAcrossCut = faults.isCut(by.address, address) || faults.isCut(address, by.address);
    if (verdict === 'suspected') {
      this.#suspected += 1;
      this.#suspicions.set(key, { sinceMs: clock.monotonicMs(), isAcrossCut });
      return;
    }
    const suspicion = this.#suspicions.get(key);
    this.#suspicions.delete(key);
    if (verdict !== 'dead' || suspicion === undefined) return;
    const accused = this.#world.peers.find((peer) => peer.id === id && peer.address === address);
    if (accused === undefined || accused.isLeaving) return;
    if ((accused.runningSinceMs ?? Infinity) > suspicion.sinceMs) return;
    if (isAcrossCut || suspicion.isAcrossCut) this.#alarmsAcrossCuts += 1;
    else this.#falseAlarms += 1;
  }

  figures(): DetectionFigures {
    const hours = this.#peerMs / 3_600_000;
    return {
      noticed: this.#last.count,
      firstDetectionMsMean: Math.round(this.#first.mean),
      firstDetectionMsP99: Math.round(this.#first.percentile(0.99)),
      firstDetectionMsMax: Math.round(this.#first.percentile(1)),
      detectionMsMean: Math.round(this.#last.mean),
      detectionMsP99: Math.round(this.#last.percentile(0.99)),
      detectionMsMax: Math.round(this.#last.percentile(1)),
      suspicions: this.#suspected,
      falseAlarms: this.#falseAlarms,
      falseAlarmsAPeerHour: hours === 0 ? 0 : Math.round((100 * this.#falseAlarms) / hours) / 100,
      alarmsAcrossCuts: this.#alarmsAcrossCuts,
    };
  }

  #look(): void {
    if (this.#isOver) return;
    const { checker, clock } = this.#world;
    const nowMs = clock.monotonicMs();
    this.#peerMs += this.#living * (nowMs - this.#lookedAtMs);
    this.#lookedAtMs = nowMs;
    this.#living = checker.live.size;
    for (const [id, crash] of this.#unnoticed) {
      // Who comes back before all have noticed is counted by nobody.
      if (checker.live.has(id)) this.#unnoticed.delete(id);
      else this.#notice(id, crash, nowMs);
    }
  }

  #notice(id: Id, crash: Unnoticed, nowMs: number): void {
    for (const neighbour of crash.by) {
      const state = this.#world.checker.live.get(neighbour);
      if (state !== undefined && pointsTo(state, id)) continue;
      crash.by.delete(neighbour);
      // A neighbour that died, too, has noticed nothing.
      if (state !== undefined) crash.firstMs ??= nowMs - crash.sinceMs;
    }
    if (crash.by.size > 0) return;
    this.#unnoticed.delete(id);
    if (crash.firstMs === undefined) return;
    this.#first.add(crash.firstMs);
    this.#last.add(nowMs - crash.sinceMs);
  }
}

function pointsTo({ predecessor, successors }: RingState, id: Id): boolean {
  return predecessor?.id === id || successors.some((peer) => peer.id === id);
}
