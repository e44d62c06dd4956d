/**
 * A ring falls apart, for seconds to hours, and becomes one again by itself. While it lasts, each part that is whole in
 * itself is a ring of its own, and answers as one.
 */
import { limits } from '../../../src/base/limits.js';
import { randomFraction } from '../../../src/base/random.js';
import { idFromBytes, shortId } from '../../../src/ring/identifier.js';
import { groupsOfAcquaintances } from '../acquaintance.js';
import { CheckedLookups, firstFrom } from '../lookups.js';
import { Partition, partitionKinds } from '../partition.js';
import type { SimulatedPeer } from '../peer.js';
import { listRules, ringRules, whyNotIdeal } from '../rules.js';
import { type CommonOptions, commonFigures, LookupFigures, type Scenario } from '../scenario.js';
import { World } from '../world.js';

const minuteMs = 60_000;
/** How long a cut lasts when nobody says: every order of magnitude is as likely as the others. */
const cutMsRange = [5_000, 360 * minuteMs] as const;
/** After this long a part that is whole in itself is an ideal ring. */
export const partIdealWithinMs = 5 * minuteMs;
/** After this long without a cut there is one ideal ring. */
export const oneRingWithinMs = 30 * minuteMs;
/** A ring that is whole stays as it is; looked at for this long. */
const quietMs = 10 * minuteMs;
/** Lookups while the network is cut, when nobody says how many. */
const lookupsDuringCut = 40;

/** For `--kind`: one of them, as the seed says. */
const anyKind = partitionKinds.length;

export const partition = {
  summary: 'the network is cut in two or three, then heals: one ring again, by itself',
  own: { kind: anyKind, cutSeconds: 0, parts: 0 },
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
    const between = (low: number, high: number): number => low * (high / low) ** randomFraction(random);
    world.faults.conditions = { ...world.faults.conditions, delayMs: between(1, 50) };
    const figures = new LookupFigures();
    await world.grow(peers);
    await world.untilIdeal();
    await clock.runFor(between(1_000, 20 * minuteMs));

    world.require(listRules);
    const drawnKind = random.below(anyKind);
    const drawnMs = between(...cutMsRange);
    const cut = new Partition(world, partitionKinds[kind] ?? partitionKinds[drawnKind]!, parts);
    const cutMs = cutSeconds > 0 ? 1000 * cutSeconds : drawnMs;
    cut.begin(between(500, minuteMs));
    const life = new LifeInParts(world, cut, figures);
    await life.goOn(cutMs, steps);
    const failedDuringCut = figures.failedCount;
    if (cut.isClean && cutMs >= partIdealWithinMs) await life.checkParts();
    const rings = world.checker.shape.rings.length;
    const groups = groupsOfAcquaintances(world).length;
    cut.end();

    const healedAtMs = clock.monotonicMs();
    let foundAfterMs = -1;
    let mergedAfterMs = -1;
    const onFirstChange = (): void => {
      foundAfterMs = Math.round(clock.monotonicMs() - healedAtMs);
      world.listeners.delete(onFirstChange);
    };
    world.listeners.add(onFirstChange);
    if (groups === 1) {
      try {
        mergedAfterMs = Math.round(await world.untilIdeal(oneRingWithinMs));
        await checkWhole(world, figures);
      } catch (error) {
        world.violated('oneRingAgain', String(error));
      }
    }
    return {
      violations: world.violations,
      figures: {
        ...commonFigures('partition', world, figures),
        kind: cut.kind,
        parts: cut.count,
        cutMs: Math.round(cutMs),
        rings,
        groups,
        foundAfterMs,
        mergedAfterMs,
        failedDuringCut,
      },
    };
  },
} satisfies Scenario;

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

  /** Lets it last, with lookups all the while, and comings and goings if the cut is of that kind. */
  async goOn(cutMs: number, lookups: number): Promise<void> {
    const { clock, random } = this.#world;
    for (let step = 0; step < lookups; step += 1) {
      await clock.runFor(cutMs / lookups);
      const inside = this.#inside(this.#world.live);
      const seeker = inside[random.below(inside.length)];
      if (seeker !== undefined) this.#track(this.#lookUp(seeker));
      if (this.#cut.kind === 'churn') this.#change(random.below(this.#cut.count));
    }
    for (const peer of this.#away) this.#comeBack(peer);
    while (this.#underWay.size > 0) await clock.run(Promise.all(this.#underWay));
  }

  /** Each part is an ideal ring, and answers as one. */
  async checkParts(): Promise<void> {
    const { clock, random } = this.#world;
    for (const part of this.#cut.parts) {
      const members = part.map(({ node }) => ({ state: node.membership.state, alive: true }));
      const why = whyNotIdeal(members, limits.successorListLength);
      if (why !== undefined) {
        this.#world.violated('partIsIdeal', `of ${part.length}: ${why}`);
        continue;
      }
      for (const peer of part.slice(0, 5)) {
        const key = idFromBytes(random.bytes(32));
        const owner = firstFrom(
          key,
          part.map(({ id }) => id),
        );
        const answer = await clock.run(peer.node.membership.lookup(key).catch(() => undefined));
        if (answer?.peers[0]?.id !== owner) {
          this.#world.violated('partAnswers', `${shortId(key)} from ${peer.address}`);
        }
      }
    }
  }

  async #lookUp(seeker: SimulatedPeer): Promise<void> {
    const key = idFromBytes(this.#world.random.bytes(32));
    try {
      const { hops, failures } = await seeker.node.membership.lookup(key);
      this.#figures.answered(hops, failures);
    } catch {
      this.#figures.failed();
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

/** From now on nothing changes, and every lookup finds the owner. */
async function checkWhole(world: World, figures: LookupFigures): Promise<void> {
  const { clock } = world;
  world.require(ringRules);
  let changes = 0;
  const onChange = (): void => {
    changes += 1;
  };
  world.listeners.add(onChange);
  await clock.runFor(quietMs);
  world.listeners.delete(onChange);
  if (changes > 0) world.violated('quiet', `${changes} changes in the ideal ring`);
  const before = figures.failedCount;
  const lookups = new CheckedLookups(world, figures);
  for (const peer of world.live) await clock.run(lookups.random(peer));
  if (figures.failedCount > before) world.violated('idealRingAnswers', 'a lookup in the ideal ring failed');
}
