"""Owns what is accrued each month, up to the cap."""
