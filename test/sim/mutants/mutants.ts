/** The rules of the protocol, each turned wrong. */
import type { Mutant } from './mutant.js';

/** A ring that stays below the length of a successor list: all see the whole of it. */
const small = 'grow --peers 9';
/** One that grows beyond. */
const large = 'grow --peers 20';
/** One in which there are many at once to take the same place. */
const crowded = 'churn --peers 30 --rate 3 --minutes 0.2 --steps 20 --published 0';
/** Both, with crashes when they have grown. */
const restlessSmall = 'grow --peers 8 --steps 15';
const restlessLarge = 'grow --peers 22 --steps 40';
/** One in which peers come and go all the time. */
const churning = 'churn --peers 40 --rate 0.3 --minutes 2 --steps 50 --published 0';
/** One with crashes of newcomers on their way in, and between a small ring and a large one. */
const frail = 'grow --peers 18 --steps 20 --frail 3 --close 7';

/** One that loses machines, and copies with them. */
const losing = 'durability --peers 6 --steps 10 --days 1 --losses 300 --outages 600';

const intervals = 'return a < b ? a < x && x < b : a < x || x < b;';

export const mutants: readonly Mutant[] = [
  // stabilize and stabilizeFromPred
  {
    name: 'stabilize adopts the predecessor of its successor without asking it',
    file: 'ring/steps.js',
    was: "return { state: next, next: { do: 'ask', peer: candidate } };",
    becomes:
      'return { state: behind(state, { self: candidate, successors: [answer.self, ...answer.successors] }, length), ' +
      "next: { do: 'notify', peer: candidate } };",
    run: frail,
    breaks: ['onlyTheLivingAreAdopted'],
    seed: 4,
  },
  {
    name: 'stabilize asks a candidate that does not lie before its successor',
    file: 'ring/steps.js',
    was: 'candidate !== null && between(state.self.id, candidate.id, head.id)',
    becomes: 'candidate !== null && candidate.id !== state.self.id',
    run: large,
    breaks: ['ideal'],
    seed: 2,
  },
  {
    // A peer is told of one by its first successor, by that one itself, and by others when it looks around.
    name: 'nobody ever asks a nearer peer',
    file: 'node/stabilizer.js',
    was: 'if (await this.#isOutOfReach(candidate))',
    becomes: 'if (true)',
    // Where peers come one by one, they come in where they belong, and anew if nobody takes them in.
    run: 'arbitrary --peers 20 --kind 5',
    breaks: ['ideal'],
  },
  {
    name: 'stabilizeFromPred adopts a peer that does not lie before its successor',
    file: 'ring/steps.js',
    was: 'if (!between(state.self.id, answer.self.id, firstSuccessor(state).id))',
    becomes: 'if (false)',
    // Nobody is asked who does not lie there, either, or may have ceased to when it answers.
    also: [
      { file: 'node/stabilizer.js', was: 'return isNearer ?', becomes: 'return true ?' },
      { file: 'node/stabilizer.js', was: '=> isUnfit(from)', becomes: '=> false' },
    ],
    run: large,
    breaks: ['livingNeighboursStay'],
    seed: 2,
  },
  {
    name: 'stabilizeFromPred adopts a dead peer',
    file: 'node/stabilizer.js',
    was: 'return steps.stabilizeFromPredecessorWithoutAnswer(this.#pointers.now).next;',
    becomes:
      'return this.#apply(steps.stabilizeFromPredecessor(this.#pointers.now, ' +
      '{ self: candidate, predecessor: null, successors: this.#pointers.now.successors }, listLength));',
    // Who was found dead a moment ago is not even asked.
    also: [
      {
        file: 'node/stabilizer.js',
        was: 'if (await this.#isOutOfReach(candidate))',
        becomes: 'if (false)',
      },
    ],
    run: frail,
    breaks: ['onlyTheLivingAreAdopted'],
    seed: 4,
  },
  {
    name: 'stabilize keeps the list that it has behind its successor',
    file: 'ring/steps.js',
    was: 'const next = alone ? state : behind(state, answer, length);',
    becomes: 'const next = state;',
    run: large,
    breaks: ['ideal'],
  },
  {
    name: 'the list of the successor is taken without the successor',
    file: 'ring/steps.js',
    was: 'listBehind(state.self.id, head.self, head.successors, length)',
    becomes: 'listBehind(state.self.id, head.successors[0] ?? head.self, head.successors.slice(1), length)',
    run: large,
    breaks: ['principalsStay', 'livingNeighboursStay'],
  },
  {
    name: 'nothing is kept behind the first successor (padding forgotten)',
    file: 'ring/steps.js',
    was: 'listBehind(state.self.id, head.self, head.successors, length)',
    becomes: '[head.self]',
    run: restlessLarge,
    breaks: ['oneLiveSuccessor', 'ideal'],
  },
  {
    name: 'a dead head takes the rest of the list with it',
    file: 'ring/steps.js',
    was: 'state.successors.slice(1) }',
    becomes: 'state.successors.slice(1, 2) }',
    run: restlessLarge,
    breaks: ['oneLiveSuccessor'],
    seed: 3,
  },
  {
    name: 'a dead head moves to the end of the list',
    file: 'ring/steps.js',
    was: 'state.successors.slice(1) }',
    becomes: '[...state.successors.slice(1), state.successors[0]] }',
    run: crowded,
    breaks: ['principalsStay'],
  },
  {
    // stabilize finds nobody to drop in a list of the whole ring: the verdict has taken the dead out of it.
    name: 'the first successor is dropped, and not the dead peer',
    file: 'ring/steps.js',
    was: 'seesWholeRing(state) ? without(state, dead) : state',
    becomes: 'seesWholeRing(state) ? without(state, firstSuccessor(state).id) : state',
    run: restlessSmall,
    breaks: ['livingNeighboursStay'],
  },
  // rectify
  {
    name: 'rectify adopts any candidate without asking its predecessor',
    file: 'ring/steps.js',
    was: 'if (!isNearer && predecessor.id !== candidate.id)',
    becomes: 'if (false)',
    run: crowded,
    breaks: ['livingNeighboursStay'],
  },
  {
    name: 'rectify takes a living predecessor for dead',
    file: 'node/stabilizer.js',
    was: 'if (await this.#options.liveness.lives(before))',
    becomes: 'if (false)',
    run: crowded,
    breaks: ['livingNeighboursStay'],
  },
  {
    name: 'a dead predecessor is never replaced',
    file: 'node/stabilizer.js',
    was: 'steps.forgetPredecessor(state)',
    becomes: 'state',
    run: restlessLarge,
    breaks: ['ideal'],
    seed: 4,
  },
  {
    name: 'rectify adopts nobody',
    file: 'ring/steps.js',
    was: 'return seesWholeRing(state) ? takeIn(state, candidate, length) : { ...state, predecessor: candidate };',
    becomes: 'return state;',
    run: large,
    breaks: ['ideal'],
    seed: 2,
  },
  {
    name: 'a living predecessor is forgotten',
    file: 'node/stabilizer.js',
    was: 'if (predecessor === null || (await this.#options.liveness.lives(predecessor)))',
    becomes: 'if (predecessor === null)',
    // None is silent for so long that it is asked, where no message gets lost. Here it is asked in every round.
    also: [
      {
        file: 'node/membership.js',
        was: 'contacts.silentMs(predecessor.id) > predecessorSilentMs',
        becomes: 'true',
      },
    ],
    run: large,
    breaks: ['livingNeighboursStay'],
  },
  // intervals and lists
  {
    name: 'between includes the end of the interval',
    file: 'ring/interval.js',
    was: intervals,
    becomes: 'return a < b ? a < x && x <= b : a < x || x <= b;',
    run: restlessLarge,
    breaks: ['noDuplicates'],
  },
  {
    name: 'between includes the beginning of the interval',
    file: 'ring/interval.js',
    was: intervals,
    becomes: 'return a < b ? a <= x && x < b : a <= x || x < b;',
    run: large,
    breaks: ['lookupTellsTheTruth'],
  },
  {
    name: 'between forgets that the circle closes',
    file: 'ring/interval.js',
    was: intervals,
    becomes: 'return a < x && x < b;',
    run: small,
    breaks: ['principalsStay', 'everybodyIsPrincipal', 'livingNeighboursStay'],
  },
  {
    name: 'a peer is responsible for the id of its predecessor as well',
    file: 'ring/interval.js',
    was: 'return x === b || between(a, x, b);',
    becomes: 'return x === a || x === b || between(a, x, b);',
    run: small,
    breaks: ['lookupTellsTheTruth'],
  },
  {
    name: 'a peer is not responsible for its own id',
    file: 'ring/interval.js',
    was: 'return x === b || between(a, x, b);',
    becomes: 'return between(a, x, b);',
    run: small,
    breaks: ['idealRingAnswers', 'lookupTellsTheTruth'],
  },
  {
    name: 'a list goes on past its owner',
    file: 'ring/successor-list.js',
    was: 'if (list.length >= length || !between(before, peer.id, owner))\n            break;\n        list.push',
    becomes: 'if (list.length >= length)\n            break;\n        list.push',
    run: frail,
    breaks: ['noDuplicates'],
  },
  {
    name: 'a list ends one entry early',
    file: 'ring/successor-list.js',
    was: 'list.length >= length ||',
    becomes: 'list.length >= length - 1 ||',
    run: large,
    breaks: ['ideal'],
  },
  {
    name: 'a list has no end',
    file: 'ring/successor-list.js',
    was: 'list.length >= length ||',
    becomes: '',
    run: large,
    breaks: ['ideal'],
  },
  // small rings
  {
    name: 'a list that names the whole ring forgets whom others do not name',
    file: 'ring/whole-ring.js',
    was: 'inOrder(self.id, [...heard.slice(0, 1), ...state.successors, ...heard]);\n    return { self, predecessor: others.at(-1)',
    becomes: 'inOrder(self.id, heard);\n    return { self, predecessor: others.at(-1)',
    run: small,
    breaks: ['everybodyIsPrincipal', 'oneLiveSuccessor'],
  },
  {
    name: 'who introduces itself is not taken in',
    file: 'ring/whole-ring.js',
    was: 'return withPeers(state, [peer], length);',
    becomes: 'return state;',
    run: small,
    breaks: ['everybodyIsPrincipal'],
  },
  // No mutant: that a newcomer takes its place at the end of a list (takeIn), whoever lies between. Who does not see the whole
  // ring is met only by the newcomers right behind it, and lists that are full have no room at their end.
  {
    name: 'a newcomer is inside before it has met everybody',
    file: 'node/introductions.js',
    was: 'let known = await this.#meetAll(',
    becomes: 'pointers.enter(); return; let known = await this.#meetAll(',
    run: small,
    breaks: ['everybodyIsPrincipal'],
  },
  // No mutants: that a newcomer does not ask again whether somebody came meanwhile, and that it believes a member that is
  // itself on its way in. Two newcomers who have met one member in common hear of each other, whoever let them in; what the
  // two rules are for is that all such members crash, or start anew, between the two meetings.
  // join
  {
    name: 'join takes only the first successor of the member',
    file: 'ring/steps.js',
    was: 'listBehind(self.id, head, tail, length) };',
    becomes: '[head] };',
    run: frail,
    breaks: ['oneLiveSuccessor'],
    seed: 4,
  },
  {
    name: 'join takes the member for its successor',
    file: 'ring/steps.js',
    was: 'listBehind(self.id, head, tail, length) };',
    becomes: 'listBehind(self.id, member.self, [head, ...tail], length) };',
    run: large,
    breaks: ['principalsStay'],
    seed: 2,
  },
  {
    name: "join takes the member's predecessor for its own",
    file: 'ring/steps.js',
    was: 'return { self, predecessor: member.self, successors:',
    becomes: 'return { self, predecessor: member.predecessor, successors:',
    run: large,
    breaks: ['principalsStay'],
    seed: 3,
  },
  {
    name: 'join behind whoever answers',
    file: 'ring/steps.js',
    was: 'return seesWholeRing(member) || between(member.self.id, self.id, firstSuccessor(member).id);',
    becomes: 'return true;',
    run: large,
    breaks: ['principalsStay'],
    seed: 5,
  },
  // atomic steps
  {
    name: 'a peer shows its pointers while a step is under way',
    file: 'node/pointers.js',
    was: 'if (this.#isAsking)',
    becomes: 'if (false)',
    run: small,
    breaks: ['oneStepAtATime'],
  },
  {
    name: 'steps do not wait for each other',
    file: 'node/pointers.js',
    was: 'const result = this.#lastTurn.then(step);',
    becomes: 'const result = Promise.resolve().then(step);',
    run: small,
    breaks: ['oneStepAtATime'],
    seed: 3,
  },
  {
    name: 'a peer shows its pointers before it has any',
    file: 'node/pointers.js',
    was: 'if (!this.#hasJoined)',
    becomes: 'if (false)',
    run: large,
    breaks: ['outsidersAreSilent'],
    seed: 3,
  },
  {
    name: 'a peer answers lookups before it is inside',
    file: 'node/pointers.js',
    was: 'if (!this.#isInside)',
    becomes: 'if (false)',
    run: large,
    breaks: ['outsidersAreSilent'],
  },
  // life and death
  {
    name: 'nobody is ever found dead',
    file: 'node/liveness.js',
    was: "const isDead = finding === 'dead';",
    becomes: 'const isDead = false;',
    run: restlessSmall,
    breaks: ['ideal'],
  },
  {
    name: 'whoever is asked about is dead',
    file: 'node/liveness.js',
    was: 'return (await this.answers(peer)) || !(await this.isDeadForRouting(peer));',
    becomes: 'return false;',
    run: crowded,
    breaks: ['livingNeighboursStay'],
  },
  // What others say (neighbourhood.js, isOrdered) is no mutant here: the transport proves who answers, and whoever takes a list
  // in puts it in order (listBehind, withPeers). Only liars say such things, and they come no further for it.
  // No mutant: that a newcomer asks on, behind other newcomers, for the first peer that is inside. Each of them has told its
  // first successor of itself by then; only a predecessor that is replaced at that moment makes a difference.
  // lookups
  {
    name: 'a peer speaks for what lies deep in its list',
    file: 'ring/routing.js',
    was: 'if (inHalfOpen(self.id, key, head.id))',
    becomes:
      'const deep = indexOfOwner(state, key);\n    if (deep > 0) return { found: true, peers: ringFrom(state, deep) };\n    if (inHalfOpen(self.id, key, head.id))',
    run: large,
    breaks: ['lookupTellsTheTruth'],
    seed: 5,
  },
  {
    name: 'a peer without a predecessor answers for everything',
    file: 'ring/routing.js',
    was: 'predecessor !== null && inHalfOpen(predecessor.id, key, self.id)',
    becomes: 'predecessor === null || inHalfOpen(predecessor.id, key, self.id)',
    run: churning,
    // Or a newcomer, which asks for its place, comes in where somebody else already is.
    breaks: ['lookupTellsTheTruth', 'principalsStay'],
    seed: 3,
  },
  // No mutant: that a lookup takes up peers that do not lie before the key. It goes nearer only (#nearestWaiting), whatever
  // it has taken up, and asks nobody twice.
  {
    name: 'a lookup ends with the first list that names somebody',
    file: 'ring/lookup-plan.js',
    was: 'const nearer = this.#nearestWaiting(this.#nearest);\n        const named',
    becomes: 'const nearer = undefined;\n        const named',
    run: restlessLarge,
    breaks: ['lookupTellsTheTruth'],
    seed: 10,
  },
  {
    name: 'a lookup takes the word of a list for who lives',
    file: 'ring/lookup-plan.js',
    was: 'if (this.#mayAsk(named.peer.id) && (nearer === undefined || isNamedFirst))',
    becomes: 'if (false)',
    run: 'grow --peers 7 --steps 40 --frail 3 --close 7',
    breaks: ['lookupNamesTheLiving'],
    seed: 2,
  },
  {
    name: 'nobody looks for another part of the ring',
    file: 'node/look-around.js',
    was: 'const through = [...(head === undefined ? [] : [head]), ...this.#someUnseen()];',
    becomes: 'const through = [];',
    run: 'partition --peers 6 --kind 0 --cutSeconds 60',
    breaks: ['ideal'],
  },
  {
    name: 'nobody asks its own ring whether it goes round once',
    file: 'node/look-around.js',
    was: 'const through = [...(head === undefined ? [] : [head]), ...this.#someUnseen()];',
    becomes: 'const through = [...this.#someUnseen()];',
    run: 'arbitrary --peers 16 --kind 2',
    breaks: ['ideal'],
  },
  {
    name: 'whoever follows this peer in another ring is not told of it',
    file: 'node/look-around.js',
    was: 'return stabilizer.notify(next);',
    becomes: 'return false;',
    run: 'arbitrary --peers 5 --kind 1',
    breaks: ['ideal'],
  },
  // copies
  {
    name: 'nobody lets go of copies that it need not have',
    file: 'node/repair/repair.js',
    was: 'away === 0 && present.length >= wanted',
    becomes: 'false',
    run: losing,
    breaks: ['nothingIsKeptInVain'],
  },
  {
    name: 'a machine that is away never loses its place',
    file: 'node/repair/holders.js',
    was: '.seenWithin(repairAfterMs)',
    becomes: '.seenWithin(Infinity)',
    run: losing,
    breaks: ['everythingHasItsCopies', 'nothingIsShort', 'nothingIsLost', 'nothingIsKeptInVain'],
  },
];
