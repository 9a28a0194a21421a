"""The app over HTTP, for shops that call it."""

from tests.api.conftest import api, empty_api

__all__ = ["api", "empty_api"]
