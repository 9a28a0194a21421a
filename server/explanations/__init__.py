"""Owns saying why: what a balance is made of, and what each line of a purchase earned, or not."""
