-- What a member can spend: $1 the member, $2 the instant.
SELECT (COALESCE((
    SELECT SUM(l.remaining) FROM lots l
    WHERE l.account_id = a.id AND l.remaining > 0 AND l.available_at <= $2 AND l.expires_at > $2
), 0) - a.owed)::bigint AS available
FROM ledger_accounts a WHERE a.member_id = $1 AND a.asset = 'POINTS'
