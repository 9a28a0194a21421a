"""Deliberate bugs, each put into a copy of the project, to see whether the tests catch it."""
