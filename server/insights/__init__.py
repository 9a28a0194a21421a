"""Owns what the programme has done, by month and cohort; read only."""
