"""Tests that drive a real browser: scripts/test --browser."""
