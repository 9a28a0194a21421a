"""Owns who pools points with whom, and in which role."""
