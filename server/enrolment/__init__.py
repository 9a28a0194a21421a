"""Owns how a person becomes a member: card, ledger accounts, tier and welcome points."""
