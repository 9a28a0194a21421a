"""Owns the view of one member that joins every domain: what the phone shows."""
