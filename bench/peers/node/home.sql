-- A member's home screen in one statement: $1 the member, $2 the starts of the present periods,
-- $3 since when runs count, $4 the present month, $5 how many lines of the statement are read.
SELECT json_build_object(
    'name', m.name,
    'card', (
        SELECT json_build_object('number', c.number, 'status', c.status, 'issuedAt', c.issued_at)
        FROM cards c WHERE c.member_id = m.id AND c.status <> 'replaced'
    ),
    'accounts', (
        SELECT json_agg(json_build_object(
            'asset', a.asset, 'held', a.held, 'owed', a.owed, 'granted', a.granted_total,
            'redeemed', a.redeemed_total, 'expired', a.expired_total,
            'lots', (
                SELECT json_agg(json_build_array(l.remaining, l.available_at, l.expires_at))
                FROM lots l WHERE l.account_id = a.id AND l.remaining > 0
            )
        )) FROM ledger_accounts a WHERE a.member_id = m.id
    ),
    'tier', (
        SELECT json_build_object('level', t.level, 'since', t.since,
            'spent', t.window_spend_minor, 'changes', t.change_count)
        FROM tier_states t WHERE t.member_id = m.id
    ),
    'monthAccrued', (
        SELECT k.accrued_minor FROM cashback_months k
        WHERE k.member_id = m.id AND k.local_month = $4
    ),
    'progress', (
        SELECT json_agg(json_build_array(p.challenge, p.period_start, p.progress, p.completed_at))
        FROM challenge_progress p WHERE p.member_id = m.id AND p.period_start = ANY($2::int[])
    ),
    'totals', (
        SELECT json_agg(json_build_array(o.challenge, o.completion_count, o.streak_count))
        FROM challenge_totals o WHERE o.member_id = m.id
    ),
    'runs', (
        SELECT json_agg(json_build_array(r.challenge, r.first_period, r.last_period))
        FROM challenge_runs r WHERE r.member_id = m.id AND r.last_period >= $3
    ),
    'lines', (
        SELECT json_agg(json_build_array(s.sequence, s.effect, s.balance_after, s.reference::text,
            s.occurred_at, s.reason, s.rule))
        FROM (
            SELECT p.sequence, p.balance_after, p.reference, p.occurred_at, p.reason, p.rule,
                CASE WHEN p.credit IN ('member', 'held', 'owed') THEN p.amount
                    ELSE -p.amount END AS effect
            FROM postings p JOIN ledger_accounts a ON a.id = p.account_id
            WHERE a.member_id = m.id AND a.asset = 'POINTS'
                AND NOT (p.credit IN ('member', 'held', 'owed')
                    AND p.debit IN ('member', 'held', 'owed'))
            ORDER BY p.sequence DESC LIMIT $5
        ) s
    )
) AS home FROM members m WHERE m.id = $1
