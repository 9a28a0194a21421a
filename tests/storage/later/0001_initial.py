# ruff: noqa: N999 (numbered module; the ORM wants class attributes)
"""Laurel's own first migration."""

from importlib import import_module

Migration = import_module("server.storage.migrations.0001_initial").Migration
