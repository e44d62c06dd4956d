/** Everything that reads foreign bytes, by name. */
import type { Target } from '../target.js';
import { archive } from './archive.js';
import { certificates } from './certificates.js';
import { frames } from './frames.js';
import { invites } from './invites.js';
import { messages } from './messages.js';
import { records } from './records.js';
import { stored } from './stored.js';

export const targets: Readonly<Record<string, Target>> = {
  frames,
  messages,
  certificates,
  invites,
  records,
  archive,
  stored,
};

/** @throws Error when there is none of this name. */
export function targetOf(name: string): Target {
  const target = targets[name];
  if (target === undefined) throw new Error(`there is nothing to fuzz by the name of ${name}`);
  return target;
}
