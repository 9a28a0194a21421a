"""Owns who they are, their accounts, sessions and API keys."""
