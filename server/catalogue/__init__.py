"""Owns the rewards catalogue: what points buy, its stock and orders, favourites and flash drops."""
