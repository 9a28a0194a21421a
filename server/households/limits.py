"""How often a member may be wrong about an invitation's code."""

from server.edge.attempts import AttemptRule

INVITATION_CODES = AttemptRule("invitation codes", 10, 15 * 60)
"""Codes of no invitation, from one member."""
