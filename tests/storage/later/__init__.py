"""Migrations that a later Laurel might have, after all of its own, to try the machinery on."""

from importlib import import_module
from pathlib import Path

_own = import_module("server.storage.migrations").__path__

# One package for whoever loads it: Laurel's own migrations, then those of this folder.
__path__ = [*_own, str(Path(__file__).parent)]

LAST_OWN = max(file.stem for folder in _own for file in Path(folder).glob("[0-9]*.py"))
"""What the first of this folder's migrations comes after."""
