"""The running app, for tests of payouts through the API."""

from tests.api.conftest import api as api
from tests.api.conftest import empty_api as empty_api
