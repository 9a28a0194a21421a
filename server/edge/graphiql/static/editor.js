// GraphiQL itself, and the bridge through which the bar reaches its tabs.

import {
  GraphiQL, HISTORY_PLUGIN, ToolbarButton,
  createElement, createGraphiQLFetcher, createRoot, useEffect, useGraphiQL,
} from './vendor/graphiql.js';
import { exampleOf, freshVariables, prepareTabs, withNewKeys } from './examples.js';
import { currentSession, onSession } from './session.js';
import { settings } from './settings.js';
import { storage } from './storage.js';

/** GraphiQL's state as of the last render: tabs, editors and actions. */
let graphiql;
let exampleInFront;

/**
 * Draws GraphiQL into the element. `onExample` is told the example of the tab in front,
 * `onUnauthenticated` that the server asked for credentials.
 */
export function startEditor(element, { onExample, onUnauthenticated }) {
  prepareTabs(storage);
  const lookAt = (tab) => {
    const example = exampleOf(tab);
    if (example !== exampleInFront) onExample(example);
    exampleInFront = example;
  };
  const onTabChange = ({ tabs, activeTabIndex }) => {
    // GraphiQL calls this for every change inside a tab, too.
    lookAt(tabs[activeTabIndex]);
    // A new tab, or one filled from the history, has no headers yet. Who wants to send none
    // while signed in leaves an empty object, {}.
    if (!tabs[activeTabIndex].headers) queueMicrotask(authorizeTabs);
  };
  const Bridge = () => {
    graphiql = useGraphiQL((state) => state);
    const isReady = Boolean(graphiql.queryEditor && graphiql.headerEditor);
    useEffect(() => {
      if (!isReady) return;
      onSession(authorizeTabs);
      lookAt(graphiql.tabs[graphiql.activeTabIndex]);
    }, [isReady]);
    return null;
  };
  createRoot(element).render(
    createElement(
      GraphiQL,
      {
        fetcher: fetcher(onUnauthenticated),
        storage,
        onTabChange,
        plugins: [HISTORY_PLUGIN],
        shouldPersistHeaders: false,
        showPersistHeadersSettings: false,
        schemaDescription: true,
        inputValueDeprecation: true,
        defaultEditorToolsVisibility: 'variables',
        defaultQuery: '',
      },
      createElement(GraphiQL.Logo, null, createElement('span')),
      createElement(GraphiQL.Toolbar, null, toolbar),
      createElement(Bridge),
    ),
  );
}

/** Opens an example: its tab where it still has one, else a new tab. */
export function openExample(example) {
  const index = graphiql.tabs.findIndex(({ query }) => query === example.query);
  if (index >= 0) {
    graphiql.actions.changeTab(index);
  } else {
    graphiql.actions.addTab();
    graphiql.queryEditor.setValue(example.query);
    graphiql.variableEditor.setValue(freshVariables(example));
  }
  graphiql.queryEditor.focus();
}

function fetcher(onUnauthenticated) {
  const subscriptionUrl =
    settings.subscriptionsPath &&
    new URL(settings.subscriptionsPath, location.href).href.replace(/^http/, 'ws');
  return createGraphiQLFetcher({
    url: settings.graphqlPath,
    subscriptionUrl,
    enableIncrementalDelivery: false,
    async fetch(...request) {
      const response = await fetch(...request);
      if (await isUnauthenticated(response.clone())) onUnauthenticated();
      return response;
    },
  });
}

async function isUnauthenticated(response) {
  if (response.status === 401) return true;
  const { errors } = await response.json().catch(() => ({}));
  const codes = (errors ?? []).map(({ extensions }) => extensions?.code);
  return codes.some((code) => settings.unauthenticatedCodes.includes(code));
}

/** Puts the session's token into the headers of every tab, or takes it out. */
function authorizeTabs() {
  const { tabs, activeTabIndex, headerEditor } = graphiql;
  // GraphiQL has an action for the headers of the tab in front only. It reads those of the
  // others when they come to the front, so they are changed where they are.
  for (const tab of tabs) tab.headers = authorized(tab.headers);
  const headers = authorized(headerEditor.getValue());
  if (headers !== headerEditor.getValue()) headerEditor.setValue(headers);
  if (tabs[activeTabIndex]) tabs[activeTabIndex].headers = headers;
}

/** The headers' JSON text with the session's Authorization in it; other headers stay. */
function authorized(text) {
  let headers = {};
  try {
    headers = { ...JSON.parse(text || '{}') };
  } catch {
    // Half-typed headers cannot be kept, and must not keep a signed-out token either.
  }
  for (const name of Object.keys(headers)) {
    if (name.toLowerCase() === 'authorization') delete headers[name];
  }
  const session = currentSession();
  if (session) headers.Authorization = `Bearer ${session.token}`;
  return Object.keys(headers).length ? JSON.stringify(headers, null, 2) : '';
}

function toolbar({ prettify, copy, merge }) {
  const newKey = createElement(
    ToolbarButton,
    { label: 'New idempotency key, so that the same mutation counts again', onClick: renewKeys },
    createElement(
      'svg',
      { className: 'graphiql-toolbar-icon new-key', viewBox: '0 0 24 24', 'aria-hidden': true },
      createElement('path', { d: 'M11 15.5a4 4 0 1 1-8 0 4 4 0 0 1 8 0ZM10 12.5 20 4M16.5 7l2.5 3M13.5 9.5l1.5 2' }),
    ),
  );
  return createElement('div', { className: 'toolbar' }, prettify, merge, copy, newKey);
}

function renewKeys() {
  const editor = graphiql.variableEditor;
  const variables = withNewKeys(editor.getValue());
  if (variables) editor.setValue(variables);
}
