"""The app over HTTP for tests of payments."""

from tests.api.conftest import anna, api, empty_api, till

__all__ = ["anna", "api", "empty_api", "till"]
