// The example operations, and the tabs that a fresh page opens on them.

import { linkedExample, settings } from './settings.js';

const TABS = 'graphiql:tabState';

/** The example's variables, each "$newKey" in them replaced by a new idempotency key, "$now" by the time. */
export function freshVariables(example) {
  return example.variables
    .replaceAll('"$newKey"', () => `"${crypto.randomUUID()}"`)
    .replaceAll('"$now"', () => `"${new Date().toISOString()}"`);
}

/** The same variables with new idempotency keys, or undefined where there is none to replace. */
export function withNewKeys(variables) {
  const changed = variables.replace(
    /("idempotencyKey"\s*:\s*)"[^"]*"/g,
    (_match, name) => `${name}"${crypto.randomUUID()}"`,
  );
  return changed === variables ? undefined : changed;
}

/** The example that a tab was opened on, by the name of its operation. */
export function exampleOf(tab) {
  return settings.examples.find(({ operationName }) => operationName === tab?.title);
}

/**
 * Writes the examples as tabs where GraphiQL looks for those of the last visit, and selects
 * the one that the link names. Tabs that the developer already has in this window stay.
 */
export function prepareTabs(storage) {
  const stored = JSON.parse(storage.getItem(TABS) ?? 'null');
  const state = stored ?? {
    tabs: settings.examples.filter((example) => example.opensAtStart).map(newTab),
    activeTabIndex: 0,
  };
  const [navigation] = performance.getEntriesByType('navigation');
  const follows = !stored || navigation?.type === 'navigate';
  if (linkedExample && follows) {
    const index = state.tabs.findIndex(({ query }) => query === linkedExample.query);
    state.activeTabIndex = index >= 0 ? index : state.tabs.push(newTab(linkedExample)) - 1;
  }
  const active = state.tabs[state.activeTabIndex];
  storage.setItem(TABS, JSON.stringify(state));
  storage.setItem('graphiql:query', active?.query ?? '');
  storage.setItem('graphiql:variables', active?.variables ?? '');
}

function newTab(example) {
  return {
    id: crypto.randomUUID(),
    title: example.operationName,
    operationName: example.operationName,
    query: example.query,
    variables: freshVariables(example),
    hash: null,
    headers: null,
    response: null,
  };
}
