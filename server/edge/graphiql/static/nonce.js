// Imported before everything else: gives each style element that the editor makes
// the nonce of the page's Content-Security-Policy, without which it would be refused.

const { nonce } = document.getElementById('settings');
const createElement = document.createElement;

document.createElement = function (...args) {
  const element = createElement.apply(this, args);
  if (element instanceof HTMLStyleElement) element.nonce = nonce;
  return element;
};
