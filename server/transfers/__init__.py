"""Owns gifts of points from one member to another."""
