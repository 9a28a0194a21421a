// The bar above the editor: the menu of examples, signing in and out, and messages.

import {
  currentSession, onExpiry, onSession, signInWithApiKey, signInWithPassword, signOut,
} from './session.js';
import { identityOf, linkedIdentity, settings } from './settings.js';

const form = document.getElementById('sign-in');
const signedIn = document.getElementById('signed-in');
const message = document.getElementById('message');
// At first the link's choice of an identity stands, whoever the example in front is for.
let linkDecides = Boolean(linkedIdentity);

/** Fills the bar and makes it work; `open` opens an example in the editor. */
export function startBar({ open }) {
  fillExamples(open);
  fillIdentities();
  form.addEventListener('submit', submit);
  signedIn.querySelector('button').addEventListener('click', () => {
    signOut();
    show('');
    form.querySelector('input:checked').focus();
  });
  onSession(showSession);
  onExpiry(suggestSignIn);
}

/** Shows a message below the bar, or none. */
export function show(text, kind = 'info') {
  message.textContent = text;
  message.dataset.kind = kind;
}

/** Says that the server did not accept the credentials, and what to do about it. */
export function suggestSignIn() {
  const session = currentSession();
  const expired = session?.expiresAt && Date.parse(session.expiresAt) <= Date.now();
  if (expired) show('Your sign-in has expired. Sign out, then sign in again.', 'warning');
  else if (session) show('The server did not accept your sign-in. Sign out, then sign in again.', 'warning');
  else show('This operation needs you to sign in, at the top of the page.', 'warning');
}

/** The example in front has changed: offers its identity, or points out that another is signed in. */
export function checkAudience(example) {
  const session = currentSession();
  const wanted = identityOf(example?.audience);
  if (!session && wanted && !linkDecides) select(wanted);
  linkDecides = false;
  if (session && wanted && session.identity !== wanted.slug) {
    const label = identityOf(session.identity)?.label ?? session.identity;
    show(`“${example.title}” is for ${wanted.label}; you are signed in as ${label}.`);
  } else if (message.dataset.kind === 'info') {
    show('');
  }
}

async function submit(event) {
  event.preventDefault();
  const identity = selected();
  const fields = Object.fromEntries(new FormData(form));
  const button = form.querySelector('button');
  button.disabled = true;
  show('');
  try {
    if (identity.kind === 'apiKey') signInWithApiKey(identity, fields);
    else await signInWithPassword(identity, fields);
    signedIn.querySelector('button').focus();
  } catch (error) {
    show(error.message, 'warning');
  } finally {
    button.disabled = false;
  }
}

function fillExamples(open) {
  const menu = document.getElementById('examples');
  for (const { slug, label } of settings.identities) {
    const group = document.createElement('optgroup');
    group.label = label;
    for (const example of settings.examples.filter(({ audience }) => audience === slug)) {
      group.append(new Option(example.title, example.slug));
    }
    if (group.childElementCount) menu.append(group);
  }
  menu.addEventListener('change', () => {
    open(settings.examples.find(({ slug }) => slug === menu.value));
    menu.value = ''; // a menu of actions: the same example can be chosen again
  });
}

function fillIdentities() {
  const choices = form.querySelector('fieldset');
  for (const identity of settings.identities) {
    const label = document.createElement('label');
    const radio = document.createElement('input');
    Object.assign(radio, { type: 'radio', name: 'identity', value: identity.slug });
    const text = document.createElement('span');
    text.textContent = identity.label;
    label.append(radio, text);
    choices.append(label);
  }
  choices.addEventListener('change', () => select(selected()));
  const [first] = settings.identities;
  if (first) select(linkedIdentity ?? first);
}

function selected() {
  return identityOf(new FormData(form).get('identity'));
}

/** Shows the fields of this identity, with what is prefilled for it. */
function select(identity) {
  const radio = form.querySelector(`input[value="${CSS.escape(identity.slug)}"]`);
  if (radio.checked && form.dataset.identity === identity.slug) return;
  radio.checked = true;
  form.dataset.identity = identity.slug;
  for (const fields of form.querySelectorAll('.bar-fields')) {
    const used = fields.dataset.kind === identity.kind;
    fields.hidden = !used;
    for (const input of fields.querySelectorAll('input')) {
      input.disabled = !used; // so that the hidden ones are neither required nor sent
      input.value = identity[input.name] ?? '';
    }
  }
}

function showSession(session) {
  form.hidden = Boolean(session);
  signedIn.hidden = !session;
  if (!session) return;
  const identity = identityOf(session.identity);
  signedIn.querySelector('.bar-badge').textContent = identity?.label ?? session.identity;
  signedIn.querySelector('.bar-name').textContent = session.name;
}
