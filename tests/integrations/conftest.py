"""A key server on this machine, and the ID tokens that are checked with its keys."""

from collections.abc import Iterator

import pytest

from server.integrations.firebase import Firebase
from tests.integrations.firebase_google import PROJECT, KeyServer, serving_keys


@pytest.fixture
def google() -> Iterator[KeyServer]:
    """The key server."""
    with serving_keys() as server:
        yield server


@pytest.fixture
def tokens(google: KeyServer) -> Firebase:
    """The tokens of the project."""
    return Firebase(PROJECT, certificates_url=google.url)
