"""Owns the coalition's partners: their stores, what of each reward they pay, what is settled."""
