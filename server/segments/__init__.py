"""Owns segments: groups of members by what is known of them, or by a list, and those facts."""
