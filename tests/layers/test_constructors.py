"""The constructors of all public layers."""

import inspect
import re

import pytest

import layers
from layers import (
    Convolution,
    Dense,
    KernelExpansion,
    Linear,
    MedianImputation,
    PlattScaling,
)

ALL = [getattr(layers, name) for name in layers.__all__]


@pytest.mark.parametrize("layer_class", ALL)
def test_arguments_are_explicit_and_documented(layer_class):
    parameters = inspect.signature(layer_class.__init__).parameters
    assert {"name", "trainable", "dtype"} <= set(parameters)
    assert all(each.kind is not each.VAR_KEYWORD for each in parameters.values())
    section = inspect.getdoc(layer_class).split("Args:\n")[1].split("\n\n")[0]
    documented = re.findall(r"^    (\w+): ", section, re.MULTILINE)
    assert documented == [name for name in parameters if name != "self"]


def test_misspelt_argument_is_refused():
    with pytest.raises(TypeError, match="unitz"):
        Linear(unitz=3)


@pytest.mark.parametrize(
    ("layer_class", "arguments"),
    [
        (Linear, {}),
        (Dense, {"units": 2}),
        (Convolution, {"filters": 2, "kernel_size": 3}),
        (KernelExpansion, {"num_vectors": 2}),
    ],
)
def test_arguments_of_keras_survive_the_config(layer_class, arguments):
    layer = layer_class(
        **arguments, name="own", trainable=False, activity_regularizer="l2"
    )
    again = layer_class.from_config(layer.get_config())
    assert again.name == "own" and again.trainable is False
    assert again.get_config() == layer.get_config()


@pytest.mark.parametrize("layer_class", [MedianImputation, PlattScaling])
def test_config_of_earlier_versions(layer_class):
    config = layer_class(name="own", dtype="float64").get_config()
    earlier = {**config, "activity_regularizer": None, "autocast": True}
    assert layer_class.from_config(earlier).get_config() == config
