"""Owns vouchers bought with points."""
