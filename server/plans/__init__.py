"""Owns membership plans: what the shop sells, who has which, and what the payment provider says."""
