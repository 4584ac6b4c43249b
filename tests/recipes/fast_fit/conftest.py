"""Fixtures for tests of `fast_fit`."""

import pytest

from recipes.fast_fit import feed


@pytest.fixture
def chunks_of_four(monkeypatch):
    monkeypatch.setattr(feed, "CHUNK_BATCHES", 4)
