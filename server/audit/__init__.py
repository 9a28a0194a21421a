"""Owns proving that every balance follows from the journal: read only, but for its own notes."""
