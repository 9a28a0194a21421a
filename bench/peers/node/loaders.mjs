// The schema as one writes it with Mercurius: a loader for each field that needs rows, each with a
// prepared statement for all members asked for at once, answered side by side.

import { nowUs, pointsOf } from "./rules.mjs";

const LINES_READ = 41;

function byMember(rows, wanted, none) {
  const found = new Map();
  for (const row of rows) {
    const own = found.get(row.member_id);
    if (own === undefined) found.set(row.member_id, [row]);
    else own.push(row);
  }
  return wanted.map((id) => found.get(id) ?? none);
}

const HOLDING = `
  SELECT a.member_id, a.held, a.owed, a.granted_total AS granted, a.redeemed_total AS redeemed,
    a.expired_total AS expired, l.remaining, l.available_at, l.expires_at
  FROM ledger_accounts a LEFT JOIN lots l ON l.account_id = a.id AND l.remaining > 0
  WHERE a.member_id = ANY($1::bigint[]) AND a.asset = $2`;

const ACTIVITY = `
  SELECT wanted.id AS member_id, s.* FROM unnest($1::bigint[]) wanted(id) CROSS JOIN LATERAL (
    SELECT p.sequence, CASE WHEN p.credit IN ('member', 'held', 'owed') THEN p.amount
        ELSE -p.amount END AS effect, p.balance_after, p.reference, p.occurred_at, p.reason, p.rule
    FROM postings p JOIN ledger_accounts a ON a.id = p.account_id
    WHERE a.member_id = wanted.id AND a.asset = 'POINTS'
      AND NOT (p.credit IN ('member', 'held', 'owed') AND p.debit IN ('member', 'held', 'owed'))
    ORDER BY p.sequence DESC LIMIT ${LINES_READ}) s`;

function lotsOf(rows) {
  return rows.filter((row) => row.remaining !== null)
    .map((row) => [Number(row.remaining), Number(row.available_at), Number(row.expires_at)]);
}

export function built(pool, shown) {
  const rows = async (name, text, values) => (await pool.query({ name, text, values })).rows;
  const ids = (queries) => queries.map(({ obj }) => obj.id);

  async function holdings(wanted, asset) {
    return byMember(await rows("holding", HOLDING, [wanted, asset]), wanted, []);
  }

  const loaders = {
    Member: {
      async name(queries) {
        const found = await rows("member",
          "SELECT id AS member_id, name FROM members WHERE id = ANY($1::bigint[])", [ids(queries)]);
        return byMember(found, ids(queries), [{}]).map(([row]) => row.name);
      },
      async card(queries) {
        const found = await rows("card",
          `SELECT member_id, number, status, issued_at AS "issuedAt" FROM cards
           WHERE member_id = ANY($1::bigint[]) AND status <> 'replaced'`, [ids(queries)]);
        return byMember(found, ids(queries), []).map(([row]) => shown.card(row));
      },
      async points(queries) {
        const found = await holdings(ids(queries), "POINTS");
        return found.map((own) => shown.points(own[0], lotsOf(own)));
      },
      async tier(queries) {
        const found = await rows("tier",
          `SELECT member_id, level, since, window_spend_minor AS spent, change_count AS changes
           FROM tier_states WHERE member_id = ANY($1::bigint[])`, [ids(queries)]);
        return byMember(found, ids(queries), []).map(([row]) => shown.tier(row));
      },
      async cashback(queries) {
        const wanted = ids(queries);
        const [found, months] = await Promise.all([
          holdings(wanted, shown.config.currency),
          rows("month", `SELECT member_id, accrued_minor FROM cashback_months
             WHERE member_id = ANY($1::bigint[]) AND local_month = $2`,
          [wanted, shown.calendar.present().month]),
        ]);
        const accrued = byMember(months, wanted, [{ accrued_minor: 0 }]);
        return found.map((own, place) =>
          shown.cashback(own[0], lotsOf(own), accrued[place][0].accrued_minor));
      },
      async challenges(queries) {
        const wanted = ids(queries);
        const today = shown.calendar.present();
        const [progress, totals, runs] = await Promise.all([
          rows("progress", `SELECT member_id, challenge, period_start, progress, completed_at
             FROM challenge_progress WHERE member_id = ANY($1::bigint[])
             AND period_start = ANY($2::int[])`, [wanted, today.starts]),
          rows("totals", `SELECT member_id, challenge, completion_count, streak_count
             FROM challenge_totals WHERE member_id = ANY($1::bigint[])`, [wanted]),
          rows("runs", `SELECT member_id, challenge, first_period, last_period FROM challenge_runs
             WHERE member_id = ANY($1::bigint[]) AND last_period >= $2`, [wanted, today.runsSince]),
        ]);
        const [own, total, run] = [progress, totals, runs].map((some) => byMember(some, wanted, []));
        return wanted.map((_, place) => shown.challenges(
          own[place].map((row) => [row.challenge, row.period_start, row.progress, row.completed_at]),
          total[place].map((row) => [row.challenge, row.completion_count, row.streak_count]),
          run[place].map((row) => [row.challenge, row.first_period, row.last_period]),
        ));
      },
      async activity(queries) {
        const found = byMember(await rows("activity", ACTIVITY, [ids(queries)]), ids(queries), []);
        return found.map((own, place) => shown.activity(own.map((row) => [
          row.sequence, Number(row.effect), Number(row.balance_after), row.reference,
          row.occurred_at, row.reason, row.rule]), queries[place].params.first));
      },
    },
  };

  async function recordPurchase(_, { input }) {
    const { purchase } = input;
    const points = pointsOf(purchase);
    const at = nowUs();
    const client = await pool.connect();
    try {
      await client.query("BEGIN");
      const { rows: [account] } = await client.query({
        name: "account", values: [purchase.member.externalId],
        text: `SELECT id, member_id, last_sequence, balance FROM peer_accounts
          WHERE external_id = $1 FOR UPDATE`,
      });
      const balance = Number(account.balance) + points;
      await client.query({
        name: "post", values: [account.member_id, account.id, account.last_sequence + 1,
          account.last_sequence + 2, points, balance, at],
        text: `INSERT INTO peer_postings (member_id, account_id, sequence, debit, credit, amount,
            balance_after, reason, rule, programme_version, occurred_at, recorded_at)
          VALUES ($1, $2, $3, 'issued', 'member', $5, $6, 'purchase', 'purchase', 1, $7, $7),
            ($1, $2, $4, 'cashback', 'member', $5, $6, 'purchase', 'purchase', 1, $7, $7)`,
      });
      await client.query({
        name: "stand", values: [balance, account.last_sequence + 2, account.id],
        text: "UPDATE peer_accounts SET balance = $1, last_sequence = $2 WHERE id = $3",
      });
      await client.query("COMMIT");
    } catch (error) {
      await client.query("ROLLBACK");
      throw error;
    } finally {
      client.release();
    }
    return { __typename: "RecordedPurchase", externalId: purchase.externalId, points };
  }

  const resolvers = {
    Query: { me: (_, __, context) => ({ id: context.memberId() }) },
    Points: {
      nextExpiry: (points) => shown.nextExpiry(points),
      expiring: (points, { withinDays }) => shown.expiring(points, withinDays),
    },
    RecordPurchaseResult: { resolveType: (answer) => answer.__typename },
    Mutation: { recordPurchase },
  };
  return { loaders, resolvers };
}
