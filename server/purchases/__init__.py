"""Owns the orchestrator that turns a till's basket into value."""
