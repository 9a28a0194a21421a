"""Owns coupons: the codes that let members use an offer, shared or single-use, and their uses."""
