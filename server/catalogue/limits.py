"""How often a caller may be wrong about an order's code."""

from server.edge.attempts import AttemptRule

ORDER_CODES = AttemptRule("order codes", 100, 15 * 60)
"""Codes of no order, from one till's key or one of the staff."""
