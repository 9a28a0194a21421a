"""Owns what staff give or take by hand, with a reason and, above a limit, a second person."""
