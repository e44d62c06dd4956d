/** Loader hooks of Node (node:module, `register`) that change the text of modules when they are loaded. */
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

let changes: readonly Change[];

export const initialize: InitializeHook<readonly Change[]> = (given) => {
  changes = given;
};

export const resolve: ResolveHook = async (specifier, context, nextResolve) => {
  const resolved = await nextResolve(specifier, context);
  const isJudging = changes.some(
    ({ url, judges }) =>
      url === resolved.url && judges !== undefined && context.parentURL?.startsWith(judges) === true,
  );
  return isJudging ? { ...resolved, url: `${resolved.url}?as-it-is` } : resolved;
};

export const load: LoadHook = async (url, context, nextLoad) => {
  const loaded = await nextLoad(url, context);
  const here = changes.filter((change) => change.url === url);
  if (here.length === 0) return loaded;
  const source = Buffer.from(loaded.source as Uint8Array).toString();
  return {
    ...loaded,
    source: here.reduce((text, { was, becomes }) => text.replace(was, () => becomes), source),
  };
};
