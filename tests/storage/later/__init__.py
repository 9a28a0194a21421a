"""Migrations that a later Laurel might have, to try the machinery on."""
