"""Owns progress, completion and streaks."""
