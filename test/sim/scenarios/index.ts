/** All scenarios by the names that `npm run sim` takes. */
import type { Scenario } from '../scenario.js';
import { grow } from './grow.js';

export const scenarios: Readonly<Record<string, Scenario>> = { grow };
