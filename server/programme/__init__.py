"""Owns the programme's rules as versioned, dated data."""
