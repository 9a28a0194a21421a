"""Owns paying at the till with points, cashback and vouchers, and undoing it."""
