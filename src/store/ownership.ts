/**
 * Whose a block is, as holders can merge it: for each user who ever owned it, when he last touched it and when he last
 * released it, and the later of the two says whether he owns it (a last-writer-wins element set). Two holders that take
 * the larger of every time end with the same, in whatever order and however often they tell each other.
 *
 * The lists are in the order of the owners' ids and name nobody twice, so that equal knowledge has equal bytes.
 *
 * Source: Shapiro, Preguiça, Baquero, Zawirski, A comprehensive study of Convergent and Commutative Replicated Data
 * Types, INRIA RR-7506 (2011), section 3.3.3.
 */
import { PeerStoreError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { Id } from '../ring/identifier.js';

const oneDayMs = 86_400_000;

/** What is known of one user and one block. */
export interface Ownership {
  readonly owner: Id;
  readonly touchedAtMs: number;
  /** The time of the live set that the block was not in; 0 when he never released it. */
  readonly releasedAtMs: number;
}

/** Whether the user owns the block. */
export function isActive({ touchedAtMs, releasedAtMs }: Ownership): boolean {
  return touchedAtMs > releasedAtMs;
}

/**
 * Whether a block is to be kept: somebody owns it, or nobody is known who ever did. That is so after the index was
 * rebuilt, and somebody may own it who has not touched it yet.
 */
export function isWanted(ownerships: readonly Ownership[]): boolean {
  return ownerships.length === 0 || ownerships.some(isActive);
}

/** When anybody last touched the block; 0 when nobody is known. */
export function lastTouchMs(ownerships: readonly Ownership[]): number {
  return ownerships.reduce((latest, { touchedAtMs }) => Math.max(latest, touchedAtMs), 0);
}

/** When anybody last released the block; 0 when nobody did. */
export function lastReleaseMs(ownerships: readonly Ownership[]): number {
  return ownerships.reduce((latest, { releasedAtMs }) => Math.max(latest, releasedAtMs), 0);
}

/**
 * Whether it need not be remembered any more that all who ever owned the block have released it: every peer that may
 * return has heard of it.
 */
export function isExpired(ownerships: readonly Ownership[], nowMs: number): boolean {
  return !isWanted(ownerships) && lastReleaseMs(ownerships) < nowMs - limits.tombstoneMs;
}

/**
 * After an owner posted the block or asked for it. A clock that was set back does not move the touch back, which would
 * undo what it protects from; and whoever touches a block that he has released comes after that, whatever the clocks
 * say: he was told that it is kept.
 * @throws PeerStoreError PROTOCOL when it has as many owners as a block may have.
 */
export function touched(
  ownerships: readonly Ownership[],
  owner: Id,
  atMs: number,
  nowMs: number,
): readonly Ownership[] {
  const before = believed(ownerships, nowMs).find((one) => one.owner === owner);
  const releasedAtMs = before?.releasedAtMs ?? 0;
  const believedAtMs = atMs > latestMs(nowMs) ? nextDayMs(nowMs) : atMs;
  const touchedAtMs = Math.max(before?.touchedAtMs ?? 0, believedAtMs, releasedAtMs + 1);
  return merged(ownerships, [{ owner, touchedAtMs, releasedAtMs }], nowMs);
}

/**
 * After a user let go of it who owned it once. One who released it before notes the later time, for holders that have
 * heard of a touch in between.
 * @returns `isReleased` is false when it was touched after the live set was taken, by whomever, so that he owns it still.
 * Even then the ownerships may be others: a touch that is not believed has to be noted as what it counts for today, or it
 * would be a new one every day.
 */
export function released(
  ownerships: readonly Ownership[],
  owner: Id,
  liveSetAtMs: number,
  nowMs: number,
): { readonly ownerships: readonly Ownership[]; readonly isReleased: boolean } {
  const known = believed(ownerships, nowMs);
  const releasedAtMs = liveSetAtMs > latestMs(nowMs) ? nowMs : liveSetAtMs;
  const before = known.find((one) => one.owner === owner);
  if (before === undefined) return { ownerships: known, isReleased: true };
  if (isActive(before) && lastTouchMs(known) > releasedAtMs) return { ownerships: known, isReleased: false };
  return { ownerships: merged(known, [{ ...before, releasedAtMs }], nowMs), isReleased: true };
}

/**
 * What two holders know together. The very first list when the second one adds nothing, and it can be believed.
 * @throws PeerStoreError PROTOCOL when that is more owners than a block may have.
 */
export function merged(
  ours: readonly Ownership[],
  theirs: readonly Ownership[],
  nowMs: number,
): readonly Ownership[] {
  const known = believed(ours, nowMs);
  const all = new Map(known.map((one) => [one.owner, one]));
  let isNew = false;
  for (const their of believed(theirs, nowMs)) {
    const our = all.get(their.owner);
    if (our !== undefined && our.touchedAtMs >= their.touchedAtMs && our.releasedAtMs >= their.releasedAtMs)
      continue;
    isNew = true;
    all.set(their.owner, {
      owner: their.owner,
      touchedAtMs: Math.max(our?.touchedAtMs ?? 0, their.touchedAtMs),
      releasedAtMs: Math.max(our?.releasedAtMs ?? 0, their.releasedAtMs),
    });
  }
  if (!isNew) return known;
  return withinBound(
    [...all.values()].sort((a, b) => (a.owner < b.owner ? -1 : 1)),
    nowMs,
  );
}

/**
 * What a machine says, or what is noted here from when the own clock was wrong, without the times that no right clock can
 * have shown: otherwise one wrong clock would make a block undeletable. Who owns it still owns it after that.
 *
 * A touch from too far ahead counts as one at the end of this day, so not before it was really made; a release as one at
 * its beginning, so that it undoes nothing that came after it. Both are no further ahead than the clocks of all who are
 * right within `limits.clockSkewMs` believe, and stay the same all day. So once every holder has put right what it has
 * noted, nobody changes any time again but by taking the larger one, and they end with the same.
 * @returns the very same list when all of it can be believed.
 */
export function believed(ownerships: readonly Ownership[], nowMs: number): readonly Ownership[] {
  const latest = latestMs(nowMs);
  // The touch that undoes a release comes right after it.
  const isBelieved = ({ touchedAtMs, releasedAtMs }: Ownership): boolean =>
    releasedAtMs <= latest && touchedAtMs <= Math.max(latest, releasedAtMs + 1);
  if (ownerships.every(isBelieved)) return ownerships;
  return ownerships.map((one) => {
    if (isBelieved(one)) return one;
    const { owner, touchedAtMs, releasedAtMs } = one;
    const beganMs = dayMs(nowMs);
    if (!isActive(one)) {
      const touchMs = touchedAtMs > latest ? beganMs : touchedAtMs;
      return { owner, touchedAtMs: touchMs, releasedAtMs: Math.max(beganMs, touchMs) };
    }
    const releaseMs = releasedAtMs > latest ? beganMs : releasedAtMs;
    return { owner, touchedAtMs: Math.max(nextDayMs(nowMs), releaseMs + 1), releasedAtMs: releaseMs };
  });
}

/** The latest time that is believed: the end of the day which another machine's clock may show. */
function latestMs(nowMs: number): number {
  return nextDayMs(nowMs + limits.clockSkewMs);
}

/** When the day began. */
function dayMs(nowMs: number): number {
  return nowMs - (nowMs % oneDayMs);
}

function nextDayMs(nowMs: number): number {
  return dayMs(nowMs) + oneDayMs;
}

/** Drops the oldest releases where there are too many owners, but none that a peer may still have to hear of. */
function withinBound(ownerships: readonly Ownership[], nowMs: number): readonly Ownership[] {
  const surplus = ownerships.length - limits.ownersPerBlock;
  if (surplus <= 0) return ownerships;
  const old = ownerships
    .filter((one) => !isActive(one) && one.releasedAtMs < nowMs - limits.tombstoneMs)
    .sort((a, b) => a.releasedAtMs - b.releasedAtMs)
    .slice(0, surplus);
  if (old.length < surplus) {
    // Not for want of room: another holder, with any disk, says the same.
    throw new PeerStoreError(
      'PROTOCOL',
      `a block belongs to at most ${limits.ownersPerBlock} users, those who released it lately included; ` +
        'this one has as many',
    );
  }
  const dropped = new Set(old);
  return ownerships.filter((one) => !dropped.has(one));
}
