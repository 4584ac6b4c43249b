"""What the tests of data sets do again and again: load one, or be refused."""

import pytest

from recipes.errors import InputError
from recipes.pipeline.cli.config import DataConfig
from recipes.pipeline.datasets import load


def loaded(dataset, task="auto", **flags):
    return load(DataConfig(dataset=str(dataset), **flags), task=task)


def refused(dataset, task="auto", **flags):
    """The one line that says what is wrong."""
    with pytest.raises(InputError) as caught:
        loaded(dataset, task, **flags)
    message = str(caught.value)
    assert "\n" not in message
    return message
