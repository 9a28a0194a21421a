// The one module that the page imports: GraphiQL, React, and the editor's workers.
// The page's own code stays outside this bundle, so that changing it needs no Node.

export { createElement, useEffect, useRef } from 'react';
export { createRoot } from 'react-dom/client';
export { GraphiQL, HISTORY_PLUGIN } from 'graphiql';
export { ToolbarButton, useGraphiQL, useGraphiQLActions } from '@graphiql/react';
export { createGraphiQLFetcher } from '@graphiql/toolkit';

const WORKERS = { graphql: 'graphql.worker.js', json: 'json.worker.js' };

globalThis.MonacoEnvironment = {
  getWorker(_id, label) {
    const file = WORKERS[label] ?? 'editor.worker.js';
    return new Worker(new URL(file, import.meta.url), { type: 'module', name: label });
  },
};
