/**
 * A year in a ring: machines that are lost for good and replaced by new ones, outages of minutes to hours, bits that rot,
 * disks that fail to write, machines that leave in good order, and people who write and delete. Not one acknowledged
 * block may be lost while fewer than all of its holders are lost within the time in which the ring makes copies again.
 *
 * So what is bounded are losses: machines lost and bits rotten in any {@link repairMs} are fewer than the copies, and none
 * while something was written in the last hour, which counts with a majority only. Outages are bounded by nothing.
 *
 * `--reckless 1` takes the bound away, for rates at which values are lost, and puts what theory predicts beside what was:
 * a value is lost when all of its r copies are lost before one of them is made again. With independent losses at rate L and
 * stays of T(k) at k copies that happens at the rate r! L^r T(r-1) ... T(1) (the birth-death model of Chun et al.,
 * "Efficient replica maintenance for distributed storage systems", NSDI 2006, for repairs that are much faster than
 * losses). The stays are those of the run (copy-times.ts); who is lost is replaced within the hour.
 *
 * Peers look after the ring less often than they really do, so that a year takes minutes: an outage is noticed in ten
 * minutes and not in seconds. `--days`, `--losses` and `--outages` a peer and year; `--peers`, `--steps` blocks at the beginning.
 */
import { messageOf, PeerStoreError } from '../../../src/base/errors.js';
import { type Random, randomFraction } from '../../../src/base/random.js';
import { defaultPolicy, type NodePolicy } from '../../../src/node/node.js';
import { defaultIntervals, type UpkeepIntervals } from '../../../src/node/upkeep.js';
import { Agenda } from '../agenda.js';
import { CopyTimes } from '../copy-times.js';
import { listRules } from '../rules.js';
import type { SimulatedPeer } from '../peer.js';
import { type CommonOptions, commonFigures, LookupFigures, type Scenario } from '../scenario.js';
import { type Stored, Vault } from '../vault.js';
import { World } from '../world.js';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;
const yearMs = 365 * dayMs;
/** In this time the ring makes copies again, outages of holders included. */
const repairMs = 1.5 * dayMs;
/** After this time a write has all of its copies. */
const youngMs = hourMs;
const outageMs = { shortest: minuteMs, longest: 6 * hourMs };
const blockBytes = 1024;

const policy: NodePolicy = {
  ...defaultPolicy,
  repairAfterMs: 15 * minuteMs,
  rosterMs: 12 * hourMs,
  trashMs: 3 * dayMs,
  scrubEveryMs: dayMs,
};

const intervals: UpkeepIntervals = {
  ...defaultIntervals,
  stabilize: { shortestMs: 1_000, longestMs: 10 * minuteMs },
  fixFingers: { shortestMs: 2_000, longestMs: 2 * hourMs },
  lookAround: { shortestMs: 1_000, longestMs: hourMs },
  repair: { shortestMs: 2_000, longestMs: 20 * minuteMs },
  scrub: { shortestMs: hourMs, longestMs: hourMs },
};

/** How often things happen, a peer and year. */
const rotsAPeerYear = 6;
const diskErrorsAPeerYear = 12;
const drainsAPeerYear = 0.5;
const writesADay = 2;
const deletesADay = 1;

export const durability = {
  summary: 'a year of losses, outages, rot and drains: nothing that was acknowledged is lost',
  own: { days: 365, losses: 2, outages: 60, reckless: 0 },
  draw: (random) => ({
    peers: 4 + random.below(5),
    steps: 5 + random.below(20),
    days: 1 + random.below(3),
    losses: random.below(150),
    outages: random.below(1_000),
  }),
  async run({
    seed,
    peers: wanted = 12,
    steps: blocks = 100,
    days = 365,
    losses = 2,
    outages = 60,
    reckless = 0,
  }: CommonOptions & {
    readonly days?: number;
    readonly losses?: number;
    readonly outages?: number;
    readonly reckless?: number;
  }) {
    const world = new World({ seed, rules: listRules });
    await world.grow(wanted, { policy, intervals });
    const year = new Year(world, wanted, reckless !== 0);
    await year.fill(blocks);
    year.begin({ losses, outages });
    await world.clock.runFor(days * dayMs);
    await year.end();
    const lookups = new LookupFigures();
    const { figures } = year;
    const movedOverLost = figures.lostBytes === 0 ? 0 : round(figures.movedBytes / figures.lostBytes);
    return {
      violations: world.violations,
      figures: {
        ...commonFigures('durability', world, lookups),
        days,
        ...figures,
        movedOverLost,
        ...(reckless === 0 ? {} : year.prediction(days)),
      },
    };
  },
} satisfies Scenario;

class Year {
  readonly figures = {
    blocksWritten: 0,
    blocksDeleted: 0,
    machinesLost: 0,
    outages: 0,
    rotten: 0,
    diskErrors: 0,
    drains: 0,
    joins: 0,
    /** Bytes on disks that were lost for good. */
    lostBytes: 0,
    /** Bytes that repair has moved, drains and newcomers' shares included. */
    movedBytes: 0,
    blocksLost: 0,
  };
  readonly #world: World;
  readonly #wanted: number;
  readonly #isReckless: boolean;
  readonly #vault: Vault;
  readonly #agenda: Agenda;
  readonly #away = new Set<SimulatedPeer>();
  readonly #underWay = new Set<Promise<unknown>>();
  /** When machines were lost and bits have rotten. */
  #losses: number[] = [];
  readonly #lost = new Set<Stored>();
  readonly #times = new CopyTimes();
  /** Machines that were in the ring, added up over all looks. */
  #seen = { machines: 0, looks: 0 };

  constructor(world: World, wanted: number, isReckless: boolean) {
    this.#world = world;
    this.#wanted = wanted;
    this.#isReckless = isReckless;
    this.#vault = new Vault(world, blockBytes);
    this.#agenda = new Agenda(world.clock, world.random);
  }

  /** Stores the first blocks, and waits until they have their copies. */
  async fill(blocks: number): Promise<void> {
    const { clock } = this.#world;
    await this.#world.untilIdeal(hourMs);
    while (this.#vault.blocks.length < blocks) await clock.run(this.#write());
    await clock.runFor(2 * youngMs);
  }

  begin({ losses, outages }: { readonly losses: number; readonly outages: number }): void {
    const every = (aPeerYear: number, work: () => void): void => {
      if (aPeerYear > 0) this.#agenda.again(yearMs / (aPeerYear * this.#wanted), work);
    };
    if (losses > 0)
      this.#agenda.independently(yearMs / (losses * this.#wanted), () => this.#do(() => this.#lose()));
    every(outages, () => this.#outage());
    every(rotsAPeerYear, () => this.#do(() => this.#rot()));
    every(diskErrorsAPeerYear, () => this.#failDisk());
    every(drainsAPeerYear, () => this.#drain());
    this.#agenda.again(dayMs / writesADay, () => this.#do(() => this.#write()));
    this.#agenda.again(dayMs / deletesADay, () => this.#do(() => this.#delete()));
    this.#agenda.again(this.#isReckless ? minuteMs : hourMs, () => this.#do(() => this.#look()));
  }

  /** Everybody comes back; then all blocks have all of their copies, nothing that was deleted is there, and all say so. */
  async end(): Promise<void> {
    const { clock } = this.#world;
    this.#agenda.end();
    for (const peer of this.#world.peers) peer.diskFault = () => undefined;
    for (const peer of [...this.#away]) this.#bringBack(peer);
    while (this.#underWay.size > 0) await clock.run(Promise.all(this.#underWay));
    await this.#world.untilIdeal(dayMs).catch((error: unknown) => {
      this.#world.violated('theRingBecomesIdeal', messageOf(error));
    });
    await clock.runFor(2 * dayMs);
    await clock.run(this.#look());
    for (const block of this.#vault.blocks) {
      const copies = Math.min(policy.replicas, this.#world.live.length);
      const right = this.#world.trueHolders(block.id, copies).map(({ id }) => id);
      const holding = (await this.#vault.disksWith(block)).filter(({ isUp }) => isUp).map(({ id }) => id);
      if (!this.#lost.has(block) && right.some((id) => !holding.includes(id)))
        this.#world.violated('everythingHasItsCopies', `${holding.length} live copies of ${block.id}`);
      if (holding.length > copies)
        this.#world.violated('nothingIsKeptInVain', `${holding.length} live copies of ${block.id}`);
    }
    for (const block of this.#vault.deleted)
      if ((await this.#vault.disksWith(block)).some(({ isUp }) => isUp))
        this.#world.violated('whatWasDeletedIsGone', block.id);
    for (const peer of this.#world.live) {
      const { keysShort, movedBytes } = await peer.node.repairStatus();
      this.figures.movedBytes += movedBytes;
      if (keysShort > 0 && this.#world.live.length >= policy.replicas && this.#lost.size === 0)
        this.#world.violated('nothingIsShort', `${peer.address} says that ${keysShort} keys are`);
    }
  }

  /** What theory says of the blocks lost, with the times in which copies were made again. */
  prediction(days: number): Readonly<Record<string, number>> {
    const ms = days * dayMs;
    const lossesAMachine = this.figures.machinesLost / (this.#seen.machines / this.#seen.looks) / ms;
    let lostAMs = lossesAMachine;
    const minutes: Record<string, number> = {};
    for (let copies = policy.replicas; copies > 1; copies -= 1) {
      const stayMs = this.#times.meanMs(copies - 1, ms);
      lostAMs *= copies * lossesAMachine * stayMs;
      minutes[`minutesAt${copies - 1}`] = round(stayMs / minuteMs);
    }
    return { ...minutes, blocksLostPredicted: round(lostAMs * this.#vault.blocks.length * ms) };
  }

  /** Does something that takes a while. */
  #do(work: () => Promise<unknown>): void {
    const done = work().finally(() => this.#underWay.delete(done));
    this.#underWay.add(done);
  }

  async #write(): Promise<void> {
    if (await this.#vault.write()) this.figures.blocksWritten += 1;
  }

  async #delete(): Promise<void> {
    const block = pick(this.#vault.blocks, this.#world.random);
    if (block !== undefined && this.#vault.blocks.length > 10 && (await this.#vault.delete(block)))
      this.figures.blocksDeleted += 1;
  }

  /** Looks at all disks: is anything gone? */
  async #look(): Promise<void> {
    this.#seen.machines += this.#inside().length + this.#away.size;
    this.#seen.looks += 1;
    const copies: number[] = [];
    for (const block of this.#vault.blocks) {
      const disks = await this.#vault.disksWith(block);
      copies.push(disks.length);
      if (disks.length > 0 || this.#lost.has(block)) continue;
      this.#lost.add(block);
      this.figures.blocksLost += 1;
      if (!this.#isReckless) this.#world.violated('nothingIsLost', `no disk has ${block.id} any more`);
    }
    this.#times.look(copies);
  }

  /** Whether one more may be lost now. */
  #mayLose(): boolean {
    if (this.#isReckless) return true;
    const nowMs = this.#world.clock.monotonicMs();
    this.#losses = this.#losses.filter((ms) => nowMs - ms < repairMs);
    const isYoung = this.#vault.blocks.some(({ acknowledgedAtMs }) => nowMs - acknowledgedAtMs < youngMs);
    return !isYoung && this.#losses.length < policy.replicas - 1;
  }

  /** A machine is gone for good, and another one comes in its place within a day. */
  async #lose(): Promise<void> {
    const { random, peers } = this.#world;
    const machines = peers.filter((peer) => (peer.isInside || this.#away.has(peer)) && !peer.isLeaving);
    const victim = pick(machines, random);
    if (victim === undefined || !this.#mayLose()) return;
    this.#losses.push(this.#world.clock.monotonicMs());
    await this.#account(victim);
    for (const block of this.#vault.blocks) {
      const disks = await this.#vault.disksWith(block);
      if (disks.includes(victim)) this.#times.fell(disks.length - 1);
    }
    this.figures.machinesLost += 1;
    this.figures.lostBytes += victim.store.stats().bytes;
    this.#away.delete(victim);
    if (victim.isUp) victim.crash({ isSilent: true });
    victim.loseDisk();
    const replacedAfterMs = this.#isReckless ? random.below(hourMs) : hourMs + random.below(dayMs);
    this.#world.clock.setTimer(replacedAfterMs, () => this.#join());
  }

  #outage(): void {
    const { clock, random } = this.#world;
    const peer = pick(this.#inside(), random);
    if (peer === undefined) return;
    this.figures.outages += 1;
    this.#do(async () => {
      await this.#account(peer);
      if (!peer.isUp) return;
      peer.crash({ isSilent: random.below(2) === 0 });
      this.#away.add(peer);
      const ms = outageMs.shortest * (outageMs.longest / outageMs.shortest) ** randomFraction(random);
      clock.setTimer(ms, () => this.#bringBack(peer));
    });
  }

  #bringBack(peer: SimulatedPeer): void {
    if (!this.#away.delete(peer)) return;
    this.#do(() => peer.restart().catch(failure));
  }

  async #rot(): Promise<void> {
    const { random } = this.#world;
    const block = pick(this.#vault.blocks, random);
    if (block === undefined || !this.#mayLose()) return;
    const peer = pick(await this.#vault.disksWith(block), random);
    if (peer === undefined) return;
    this.#losses.push(this.#world.clock.monotonicMs());
    this.figures.rotten += 1;
    this.figures.lostBytes += blockBytes;
    await peer.rot(block.id);
  }

  /** For a while a disk takes nothing. */
  #failDisk(): void {
    const { clock, random } = this.#world;
    const peer = pick(this.#inside(), random);
    if (peer === undefined) return;
    this.figures.diskErrors += 1;
    peer.diskFault = (operation) =>
      operation === 'putBlock' || operation === 'mergeBlock'
        ? new PeerStoreError('IO', `the disk of ${peer.address} does not take anything`)
        : undefined;
    clock.setTimer(random.below(2 * hourMs), () => {
      peer.diskFault = () => undefined;
    });
  }

  /** One leaves in good order, and another one comes. */
  #drain(): void {
    const inside = this.#inside();
    const peer = pick(inside, this.#world.random);
    if (peer === undefined || inside.length <= policy.replicas) return;
    this.figures.drains += 1;
    this.#do(async () => {
      await this.#account(peer);
      await peer.drain().catch(failure);
      this.#join();
    });
  }

  #join(): void {
    const entry = pick(this.#inside(), this.#world.random);
    if (entry === undefined) {
      this.#world.clock.setTimer(hourMs, () => this.#join());
      return;
    }
    const peer = this.#world.peer({ policy, intervals });
    this.figures.joins += 1;
    this.#do(async () => {
      try {
        await peer.start([entry]);
      } catch (error) {
        failure(error);
        if (peer.isUp) peer.crash();
        this.#world.clock.setTimer(hourMs, () => this.#join());
      }
    });
  }

  /** Its process ends: what it has moved is counted. */
  async #account(peer: SimulatedPeer): Promise<void> {
    if (!peer.isInside) return;
    this.figures.movedBytes += (await peer.node.repairStatus()).movedBytes;
  }

  #inside(): readonly SimulatedPeer[] {
    return this.#world.live.filter((peer) => peer.isInside && !peer.isLeaving);
  }
}

/** What may go wrong with somebody who comes or goes; what may not is a defect. */
function failure(error: unknown): void {
  if (!(error instanceof Error)) throw error;
}

function pick<T>(from: readonly T[], random: Random): T | undefined {
  return from.length === 0 ? undefined : from[random.below(from.length)];
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
