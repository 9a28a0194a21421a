// Where GraphiQL keeps tabs and history: this browser tab only, because variables may hold
// passwords, and without request headers, because the session keeps the token already.

const PREFIX = 'graphiql:';
const HISTORY = [`${PREFIX}queries`, `${PREFIX}favorites`];

function withoutHeaders(history) {
  return JSON.stringify(JSON.parse(history), (name, value) => (name === 'headers' ? undefined : value));
}

/** What GraphiQL asks of a storage. */
export const storage = {
  getItem: (key) => sessionStorage.getItem(key),
  setItem(key, value) {
    sessionStorage.setItem(key, HISTORY.includes(key) ? withoutHeaders(value) : value);
  },
  removeItem: (key) => sessionStorage.removeItem(key),
  clear() {
    for (const key of keys()) sessionStorage.removeItem(key);
  },
  get length() {
    return keys().length;
  },
};

function keys() {
  return Object.keys(sessionStorage).filter((key) => key.startsWith(PREFIX));
}
