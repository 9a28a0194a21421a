"""Owns lots, postings and balances of points and money, one kernel."""
