"""Owns opening balances brought along from another system, line by line and once."""
