/** All scenarios by the names that `npm run sim` takes. */
import type { Scenario } from '../scenario.js';
import { arbitrary } from './arbitrary.js';
import { grow } from './grow.js';
import { partition } from './partition.js';

export const scenarios: Readonly<Record<string, Scenario>> = { arbitrary, grow, partition };
