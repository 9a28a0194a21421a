-- Two rows of the ledger for a purchase: $1 the member's external id, $2 points, $3 the instant.
WITH account AS (
    UPDATE peer_accounts SET balance = balance + $2, last_sequence = last_sequence + 2
    WHERE external_id = $1 RETURNING id, member_id, last_sequence, balance
)
INSERT INTO peer_postings (member_id, account_id, sequence, debit, credit, amount, balance_after,
    reason, rule, programme_version, occurred_at, recorded_at)
SELECT a.member_id, a.id, a.last_sequence - 2 + n.n,
    CASE n.n WHEN 1 THEN 'issued' ELSE 'cashback' END, 'member',
    $2, a.balance, 'purchase', 'purchase', 1, $3, $3
FROM account a CROSS JOIN generate_series(1, 2) n(n)
