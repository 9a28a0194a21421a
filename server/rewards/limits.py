"""How often a caller may be wrong about a voucher's code."""

from server.edge.attempts import AttemptRule

VOUCHER_CODES = AttemptRule("voucher codes", 100, 15 * 60)
"""Codes of no voucher, from one till's key or one of the staff."""
