"""The running app, for tests of partners through the API."""

from tests.api.conftest import api, empty_api

__all__ = ["api", "empty_api"]
