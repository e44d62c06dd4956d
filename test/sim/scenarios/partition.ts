/**
 * A ring falls apart, for seconds to hours, and becomes one again by itself. While it lasts, each part that is whole in
 * itself is a ring of its own, and answers as one.
 */
import { limits } from '../../../src/base/limits.js';
import { type Random, randomFraction } from '../../../src/base/random.js';
import { idFromBytes, shortId } from '../../../src/ring/identifier.js';
import { groupsOfAcquaintances } from '../acquaintance.js';
import { comeToRest, idealWithinMs, partIdealWithinMs } from '../ideal-check.js';
import { firstFrom } from '../lookups.js';
import { Crashed } from '../machine.js';
import { mostDelayMs } from '../network-faults.js';
import { Partition, partitionKinds } from '../partition.js';
import type { SimulatedPeer } from '../peer.js';
import { listRules, whyNotIdeal } from '../rules.js';
import { type CommonOptions, commonFigures, LookupFigures, type Scenario } from '../scenario.js';
import type { Member } from '../shape.js';
import { World } from '../world.js';

const minuteMs = 60_000;
/** How long a cut lasts when nobody says: every order of magnitude is as likely as the others. */
const cutMsRange = [5_000, 360 * minuteMs] as const;
/** An ideal ring stays as it is; looked at for this long. */
const quietMs = 10 * minuteMs;
/** Peers of each part that look something up at its end. */
const seekersInPart = 5;
/** Lookups while the network is cut, when nobody says how many. */
const lookupsDuringCut = 40;

/** For `--kind`: one of them, as the seed says. */
const anyKind = partitionKinds.length;

export const partition = {
  summary: 'the network is cut in two or three, then heals: one ring again, by itself',
  own: { kind: anyKind, cutSeconds: 0, parts: 0 },
  // Hours for few peers, minutes for many: what a quiet peer does costs the same in each second.
  draw: (random) => {
    const peers = 2 + random.below(random.below(2) === 0 ? 16 : 59);
    const mostMs = Math.min(cutMsRange[1], 40_000_000 / peers);
    return { peers, cutSeconds: Math.round(logUniform(random, cutMsRange[0], mostMs) / 1000) };
  },
  async run({
    seed,
    peers = 24,
    steps = lookupsDuringCut,
    kind = anyKind,
    cutSeconds = 0,
    parts = 0,
  }: CommonOptions & { readonly kind?: number; readonly cutSeconds?: number; readonly parts?: number }) {
    const world = new World({ seed, network: { delayMs: 5 } });
    const { clock, random } = world;
    world.faults.conditions = { ...world.faults.conditions, delayMs: logUniform(random, 1, mostDelayMs) };
    const figures = new LookupFigures();
    await world.grow(peers);
    await world.untilIdeal();
    await clock.runFor(logUniform(random, 1_000, 20 * minuteMs));

    world.require(listRules);
    const drawnKind = random.below(anyKind);
    const drawnMs = logUniform(random, ...cutMsRange);
    const cut = new Partition(world, partitionKinds[kind] ?? partitionKinds[drawnKind]!, parts);
    const cutMs = cutSeconds > 0 ? 1000 * cutSeconds : drawnMs;
    cut.begin(logUniform(random, 500, minuteMs));
    const life = new LifeInParts(world, cut, figures);
    const partsIdealAfterMs = await life.goOn(cutMs, steps);
    const failedDuringCut = figures.failedCount;
    if (partsIdealAfterMs >= 0) await life.checkLookups();
    const rings = world.checker.shape.rings.length;
    const groups = groupsOfAcquaintances(world).length;
    cut.end();

    const healedAtMs = clock.monotonicMs();
    let foundAfterMs = -1;
    const onFirstChange = (): void => {
      foundAfterMs = Math.round(clock.monotonicMs() - healedAtMs);
      world.listeners.delete(onFirstChange);
    };
    world.listeners.add(onFirstChange);
    const withinMs = idealWithinMs(world.peers.length);
    const mergedAfterMs = groups === 1 ? await comeToRest(world, figures, { withinMs, quietMs }) : -1;
    return {
      violations: world.violations,
      figures: {
        ...commonFigures('partition', world, figures),
        kind: cut.kind,
        parts: cut.count,
        cutMs: Math.round(cutMs),
        partsIdealAfterMs,
        rings,
        groups,
        foundAfterMs,
        mergedAfterMs: Math.round(mergedAfterMs),
        failedDuringCut,
      },
    };
  },
} satisfies Scenario;

/** A number between two bounds; every order of magnitude is as likely as the others. */
function logUniform(random: Random, low: number, high: number): number {
  return low * (high / low) ** randomFraction(random);
}

/** What goes on while the network is cut. */
class LifeInParts {
  readonly #world: World;
  readonly #cut: Partition;
  readonly #figures: LookupFigures;
  readonly #underWay = new Set<Promise<unknown>>();
  readonly #away = new Set<SimulatedPeer>();

  constructor(world: World, cut: Partition, figures: LookupFigures) {
    this.#world = world;
    this.#cut = cut;
    this.#figures = figures;
  }

  /**
   * Lets it last, with lookups all the while, and comings and goings if the cut is of that kind.
   * @returns after how long each part was an ideal ring, in milliseconds; -1 where that is not asked for or did not come.
   */
  async goOn(cutMs: number, lookups: number): Promise<number> {
    const { clock } = this.#world;
    const endMs = clock.monotonicMs() + cutMs;
    for (let step = 1; step <= lookups; step += 1) {
      clock.setTimer((step * cutMs) / (lookups + 1), () => this.#live());
    }
    const withinMs = partIdealWithinMs(this.#world.peers.length);
    const isChecked = this.#cut.isClean && cutMs > withinMs;
    const idealAfterMs = isChecked ? await this.#untilPartsAreIdeal(withinMs) : -1;
    await clock.runFor(endMs - clock.monotonicMs());
    for (const peer of this.#away) this.#comeBack(peer);
    while (this.#underWay.size > 0) await clock.run(Promise.all(this.#underWay));
    return idealAfterMs;
  }

  /** Each part answers as a ring of its own. */
  async checkLookups(): Promise<void> {
    const { clock, random } = this.#world;
    for (const part of this.#cut.parts) {
      const ids = part.map(({ id }) => id);
      for (const peer of part.slice(0, seekersInPart)) {
        const key = idFromBytes(random.bytes(32));
        const answer = await clock.run(peer.node.membership.lookup(key).catch(() => undefined));
        if (answer?.peers[0]?.id !== firstFrom(key, ids)) {
          this.#world.violated('partAnswers', `${shortId(key)} is not found from ${peer.address}`);
        }
      }
    }
  }

  async #untilPartsAreIdeal(withinMs: number): Promise<number> {
    const { clock, listeners } = this.#world;
    const sinceMs = clock.monotonicMs();
    let why: string | undefined;
    const look = (): void => {
      why = this.#cut.parts
        .map((part) => whyNotIdeal(this.#membersOf(part), limits.successorListLength))
        .find((reason) => reason !== undefined);
    };
    look();
    listeners.add(look);
    try {
      await clock.runUntil('each part is ideal', () => why === undefined, withinMs);
      return Math.round(clock.monotonicMs() - sinceMs);
    } catch {
      this.#world.violated('partIsIdeal', why ?? '');
      return -1;
    } finally {
      listeners.delete(look);
    }
  }

  #membersOf(part: readonly SimulatedPeer[]): readonly Member[] {
    return part.map(({ node }) => ({ state: node.membership.state, alive: true }));
  }

  /** What happens now and then. */
  #live(): void {
    const { live, random } = this.#world;
    const inside = this.#inside(live);
    const seeker = inside[random.below(inside.length)];
    if (seeker !== undefined) this.#track(this.#lookUp(seeker));
    if (this.#cut.kind === 'churn') this.#change(random.below(this.#cut.count));
  }

  async #lookUp(seeker: SimulatedPeer): Promise<void> {
    const key = idFromBytes(this.#world.random.bytes(32));
    try {
      const { hops, failures } = await seeker.unlessItCrashes(seeker.node.membership.lookup(key));
      this.#figures.answered(hops, failures);
    } catch (error) {
      if (!(error instanceof Crashed)) this.#figures.failed();
    }
  }

  /** Somebody of a part comes, goes or comes back. */
  #change(part: number): void {
    const { random } = this.#world;
    const here = this.#inside(this.#cut.parts[part] ?? []);
    const someone = here[random.below(here.length)];
    const what = random.below(3);
    if (what === 0 && someone !== undefined) {
      const newcomer = this.#world.peer();
      this.#cut.place(newcomer, part);
      this.#track(newcomer.start([someone]).catch(() => newcomer.crash()));
    } else if (what === 1 && someone !== undefined && here.length > 1) {
      someone.crash();
      this.#away.add(someone);
    } else {
      const [back] = [...this.#away].filter((peer) => this.#cut.partOf(peer) === part);
      if (back !== undefined) this.#comeBack(back);
    }
  }

  #comeBack(peer: SimulatedPeer): void {
    this.#away.delete(peer);
    this.#track(peer.restart());
  }

  #inside(peers: readonly SimulatedPeer[]): readonly SimulatedPeer[] {
    return peers.filter(({ state }) => state !== undefined);
  }

  #track(work: Promise<unknown>): void {
    // A peer that crashes on its way ends what is waited for.
    const done = work.catch(() => undefined);
    this.#underWay.add(done);
    void done.then(() => this.#underWay.delete(done));
  }
}
