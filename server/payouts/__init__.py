"""Owns cashback that is paid out in money: requested, decided, paid or failed."""
