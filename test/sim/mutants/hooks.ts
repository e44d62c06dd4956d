/** Loader hooks of Node (node:module, `register`) that change the text of one module when it is loaded. */
import type { InitializeHook, LoadHook } from 'node:module';

/** A change of one text in one module. */
export interface Change {
  /** The module's URL. */
  readonly url: string;
  readonly was: string;
  readonly becomes: string;
}

let change: Change;

export const initialize: InitializeHook<Change> = (given) => {
  change = given;
};

export const load: LoadHook = async (url, context, nextLoad) => {
  const loaded = await nextLoad(url, context);
  if (url !== change.url) return loaded;
  const source = Buffer.from(loaded.source as Uint8Array).toString();
  return { ...loaded, source: source.replace(change.was, () => change.becomes) };
};
