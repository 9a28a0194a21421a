"""Owns joining the memberships of one person, and parting them again."""
