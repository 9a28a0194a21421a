"""Owns qualifying spend in a rolling window, level and progress."""
