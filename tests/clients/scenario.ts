// An app's life against the demonstration server: `node built/scenario.js URL`.
import assert from "node:assert/strict";
import {
  ChangesDocument,
  HomeDocument,
  RedeemDocument,
  SignInDocument,
  type ChangesSubscription,
} from "./generated.js";
import { Laurel, Refused } from "./laurel.js";
import { print } from "graphql";
// @ts-expect-error it comes without types, and Node without sockets before version 22
import WebSocket from "ws";

globalThis.WebSocket ??= WebSocket;

const url = process.argv[2]!;
const anonymous = new Laurel(url);
await assert.rejects(anonymous.ask(HomeDocument, {}), Refused);

const { signIn } = await anonymous.ask(SignInDocument, {
  input: { email: "member@demo.example", password: "demo-member", idempotencyKey: crypto.randomUUID() },
});
assert("accessToken" in signIn);

// An access token that has expired is renewed before it is sent.
const kept: unknown[] = [];
const laurel = new Laurel(
  url,
  { ...signIn, accessTokenExpiresAt: "2000-01-01T00:00:00Z" },
  (tokens) => kept.push(tokens),
);
const [{ me }] = await Promise.all([laurel.ask(HomeDocument, {}), laurel.ask(HomeDocument, {})]);
assert.equal(kept.length, 1);
assert(me?.card);

// A refusal has a type of its own, and says what is missing.
const { redeemPoints } = await laurel.ask(RedeemDocument, {
  input: { points: 1_000_000_000, idempotencyKey: crypto.randomUUID() },
});
assert.notEqual(redeemPoints.__typename, "PointsRedeemed");

// A purchase at a till shows on the phone without being asked for.
const socket = laurel.socket();
const changes = socket.iterate<ChangesSubscription>({ query: print(ChangesDocument) });
const first = await changes.next();
assert.deepEqual(first.value.data.memberChanged.points, me.points);
const recorded = await fetch(url, {
  method: "POST",
  headers: {
    "content-type": "application/json",
    authorization: "Bearer laurel_demo_till_key_for_everybody",
  },
  body: JSON.stringify({
    query: `mutation ($input: RecordPurchaseInput!) {
      recordPurchase(input: $input) { __typename ... on RecordedPurchase { points } }
    }`,
    variables: {
      input: {
        idempotencyKey: crypto.randomUUID(),
        purchase: {
          externalId: crypto.randomUUID(),
          member: { cardNumber: me.card.number },
          occurredAt: new Date().toISOString(),
          storeId: "1",
          currencyCode: "USD",
          lines: [{ productId: "102", department: "PRODUCE", quantity: 1, salesMinor: 500 }],
        },
      },
    },
  }),
});
const purchase = (await recorded.json()).data.recordPurchase;
assert.equal(purchase.__typename, "RecordedPurchase");
const next = await changes.next();
assert.notDeepEqual(next.value.data.memberChanged.points, me.points);
await changes.return?.();
await socket.dispose();
console.log("   the app's life: ok");
