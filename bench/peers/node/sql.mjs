// The schema tuned by hand: one statement for a whole operation, the rest reckoned from its rows.

import { readFileSync } from "node:fs";
import { nowUs, pointsOf } from "./rules.mjs";

const LINES_READ = 41;
const [HOME, BALANCE, PURCHASE] = ["home", "balance", "purchase"].map((name) =>
  readFileSync(new URL(`./${name}.sql`, import.meta.url), "utf8"));
const NO_ACCOUNT = { held: 0, owed: 0, granted: 0, redeemed: 0, expired: 0, lots: null };
const PLAIN = new WeakMap(); // by an operation's nodes: whether it asks for a balance alone

function isBalance(info) {
  const nodes = info.fieldNodes;
  let known = PLAIN.get(nodes);
  if (known === undefined) {
    const names = (node) => node.selectionSet.selections.map((one) => one.name?.value).join();
    const [points] = nodes[0].selectionSet.selections;
    known = names(nodes[0]) === "points" && names(points) === "available";
    PLAIN.set(nodes, known);
  }
  return known;
}

export function built(pool, shown) {
  async function me(_, __, context, info) {
    const member = context.memberId();
    if (isBalance(info)) {
      const found = await pool.query({ name: "balance", text: BALANCE, values: [member, nowUs()] });
      return { points: { available: Number(found.rows[0].available) } };
    }
    const today = shown.calendar.present();
    const found = await pool.query({
      name: "home", text: HOME,
      values: [member, today.starts, today.runsSince, today.month, LINES_READ],
    });
    const { home } = found.rows[0];
    const account = (asset) => home.accounts.find((one) => one.asset === asset) ?? NO_ACCOUNT;
    const points = account("POINTS");
    const money = account(shown.config.currency);
    return {
      name: home.name,
      card: shown.card(home.card),
      points: shown.points(points, points.lots ?? []),
      tier: shown.tier(home.tier),
      cashback: shown.cashback(money, money.lots ?? [], home.monthAccrued),
      challenges: shown.challenges(home.progress ?? [], home.totals ?? [], home.runs ?? []),
      lines: home.lines ?? [],
    };
  }

  async function recordPurchase(_, { input }) {
    const { purchase } = input;
    const points = pointsOf(purchase);
    const { rowCount } = await pool.query({
      name: "purchase", text: PURCHASE, values: [purchase.member.externalId, points, nowUs()],
    });
    if (rowCount !== 2) throw new Error("no such member");
    return { __typename: "RecordedPurchase", externalId: purchase.externalId, points };
  }

  const resolvers = {
    Query: { me },
    Member: { activity: (member, { first }) => shown.activity(member.lines, first) },
    Points: {
      nextExpiry: (points) => shown.nextExpiry(points),
      expiring: (points, { withinDays }) => shown.expiring(points, withinDays),
    },
    RecordPurchaseResult: { resolveType: (answer) => answer.__typename },
    Mutation: { recordPurchase },
  };
  return { loaders: {}, resolvers };
}
