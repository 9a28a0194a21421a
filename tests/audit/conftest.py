"""The running app, for tests of the audit through the API."""

from tests.api.conftest import api, empty_api

__all__ = ["api", "empty_api"]
