// What the server put into the page (see page_settings in page.py), and the link that was followed.

export const settings = JSON.parse(document.getElementById('settings').textContent);

const link = new URLSearchParams(location.search);

/** The example that the link names: /graphql?example=<slug>. */
export const linkedExample = settings.examples.find(({ slug }) => slug === link.get('example'));

/** The identity that the link names (…&as=<slug>), else the linked example's. */
export const linkedIdentity = identityOf(link.get('as')) ?? identityOf(linkedExample?.audience);

/** The identity with this slug. */
export function identityOf(slug) {
  return settings.identities.find((identity) => identity.slug === slug);
}
