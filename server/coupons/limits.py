"""How often a caller may be wrong about a coupon's code."""

from server.edge.attempts import AttemptRule

COUPON_CODES = AttemptRule("coupon codes", 100, 15 * 60)
"""Codes that are no coupon for the member: from one till's key, or one of the staff."""
MEMBERS_COUPON_CODES = AttemptRule("coupon codes of members", 20, 15 * 60)
"""The same from one member's app."""
