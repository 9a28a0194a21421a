"""Owns what is accrued each month and in the spans of other caps, up to each cap."""
