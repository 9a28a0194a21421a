// Who is signed in. Kept for this browser tab only (sessionStorage), never in the address.

import { settings } from './settings.js';

const KEY = 'graphiql-session';
const listeners = new Set();
let session = JSON.parse(sessionStorage.getItem(KEY) ?? 'null');
let expiry;

/** The session: { identity, name, token, expiresAt }, or null. */
export function currentSession() {
  return session;
}

/** Calls back with the session now and after every change. */
export function onSession(listener) {
  listeners.add(listener);
  listener(session);
}

/** Signs in with e-mail and password; throws an Error to show when refused. */
export async function signInWithPassword(identity, { email, password }) {
  const input = { email, password, idempotencyKey: crypto.randomUUID() };
  const response = await fetch(settings.graphqlPath, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/graphql-response+json, application/json;q=0.9',
    },
    body: JSON.stringify({ query: settings.signInMutation, variables: { input } }),
  });
  const { data, errors } = await response.json();
  const [result] = Object.values(data ?? {});
  if (!result?.accessToken) {
    throw new Error(result?.message ?? errors?.[0]?.message ?? 'Signing in failed.');
  }
  const { accessToken: token, accessTokenExpiresAt: expiresAt } = result;
  change({ identity: identity.slug, name: email, token, expiresAt });
}

/** Uses an API key from now on. Whether it is valid shows with the first operation. */
export function signInWithApiKey(identity, { apiKey }) {
  const name = `key ending in ${apiKey.slice(-4)}`;
  change({ identity: identity.slug, name, token: apiKey.trim(), expiresAt: null });
}

/** Forgets the session. */
export function signOut() {
  change(null);
}

/** Calls back once when the access token has expired. */
export function onExpiry(callback) {
  onSession(() => {
    clearTimeout(expiry);
    if (!session?.expiresAt) return;
    const left = Date.parse(session.expiresAt) - Date.now();
    // A longer time than setTimeout can count needs no warning on this page.
    if (left < 2 ** 31) expiry = setTimeout(callback, Math.max(0, left));
  });
}

function change(next) {
  session = next;
  if (session) sessionStorage.setItem(KEY, JSON.stringify(session));
  else sessionStorage.removeItem(KEY);
  for (const listener of listeners) listener(session);
}
