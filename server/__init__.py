"""Laurel: a loyalty programme's backend.

`edge` speaks GraphQL and HTTP and knows nothing of loyalty; each domain folder (`members`, `ledger`,
`cards`, `programme`, `tiers`, `cashback`, `challenges`, `rewards`, `purchases`, `insights`) owns one
subject and holds the same file names; `storage` opens the database; `app` puts them together.
Calls go one way: graphql -> service -> rules and models, and from a domain only to those below it.
"""
