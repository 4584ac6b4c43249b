"""Helpers for tests of data sets: load one, or get the message that refuses it."""

import pytest

from recipes.errors import InputError
from recipes.pipeline.cli.config import DataConfig
from recipes.pipeline.datasets import load


def loaded(dataset, task="auto", **flags):
    return load(DataConfig(dataset=str(dataset), **flags), task=task)


def refused(dataset, task="auto", **flags):
    """Return the one line that says what is wrong."""
    with pytest.raises(InputError) as caught:
        loaded(dataset, task, **flags)
    message = str(caught.value)
    assert "\n" not in message
    return message


ROWS = "".join(f"{i}.25,{i % 3}.5,{(i + 0.25) ** 2}\n" for i in range(50))


def write_table(folder, text, name="data.csv"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path
