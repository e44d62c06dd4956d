/** All scenarios by the names that `npm run sim` takes. */
import type { Scenario } from '../scenario.js';
import { arbitrary } from './arbitrary.js';
import { chaos } from './chaos.js';
import { churn } from './churn.js';
import { durability } from './durability.js';
import { fail } from './fail.js';
import { grow } from './grow.js';
import { hostile } from './hostile.js';
import { load } from './load.js';
import { partition } from './partition.js';
import { paths } from './paths.js';

export const scenarios: Readonly<Record<string, Scenario>> = {
  arbitrary,
  chaos,
  churn,
  durability,
  fail,
  grow,
  hostile,
  load,
  partition,
  paths,
};
