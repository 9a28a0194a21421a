"""Laurel: a loyalty programme's backend.

`edge` speaks GraphQL and HTTP and knows nothing of loyalty. Each domain folder (`members`,
`ledger`, `cards`, `programme`, `tiers`, `cashback`, `enrolment`, `challenges`, `rewards`,
`definitions`, `segments`, `offers`, `coupons`, `purchases`, `baskets`, `catalogue`, `plans`,
`referrals`, `actions`, `partners`, `insights`, `membership` and others) owns one subject and holds
the same file names. `storage`
opens the database, `app` puts everything together, `replay` is a client of the whole. Calls go one
way: graphql -> service -> rules and models, and from a domain only to those below it.
"""
