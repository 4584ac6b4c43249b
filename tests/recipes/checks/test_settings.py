"""`Settings`: fields whose values are checked, and constructors made of them."""

import inspect
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal

import numpy as np
import pytest

from recipes.checks.settings import (
    ModelSettings,
    configured_by,
    documented_by,
    domains,
    redefined,
    setting,
)
from recipes.errors import ArgumentError


@dataclass(frozen=True)
class Wheel(ModelSettings):
    radius: float = setting(1.0, "distance from the hub, in metres", above=0)
    _: KW_ONLY
    spokes: int = setting(8, "number of spokes", least=0, most=36)
    rim: Literal["wood", "steel"] = setting("wood", "material of the rim")
    grip: float | Literal["auto"] = setting("auto", "friction", least=0, below=1)
    is_driven: bool = setting(False, "whether a chain turns it")
    gears: Sequence[int] = setting((1,), "teeth of each gear", least=1)
    tyre: str | None = setting(None, "maker of the tyre")


@documented_by(Wheel)
class Bicycle:
    """Two wheels.

    Args:
        {arguments}

    Raises:
        ArgumentError: If a wheel is no wheel.
    """

    @configured_by(Wheel)
    def __init__(self, settings: Wheel) -> None:
        self.settings = settings


def test_defaults_are_the_fields():
    assert Bicycle().settings == Wheel()
    assert Bicycle(0.5, rim="steel").settings == Wheel(radius=0.5, rim="steel")


@pytest.mark.parametrize("gears", [[11, 13], range(11, 14, 2), (11, 13)])
def test_sequences_become_tuples(gears):
    assert Wheel(gears=gears).gears == (11, 13)


def test_scalars_of_numpy_become_python_s():
    wheel = Wheel(np.float64(2.0), spokes=np.int64(9), is_driven=np.bool_(True))
    assert wheel == Wheel(2.0, spokes=9, is_driven=True)
    assert [type(v) for v in (wheel.radius, wheel.spokes, wheel.is_driven)] == [
        *(float, int, bool)
    ]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("radius", 0, "a number above 0"),
        ("radius", float("nan"), "a number above 0"),
        ("radius", float("inf"), "a number above 0"),
        ("radius", "1", "a number above 0"),
        ("radius", True, "a number above 0"),
        ("spokes", 37, "a whole number from 0 to 36"),
        ("spokes", 8.0, "a whole number from 0 to 36"),
        ("rim", "plastic", "wood or steel"),
        ("grip", 1, "a number from 0 and below 1 or auto"),
        ("grip", "firm", "a number from 0 and below 1 or auto"),
        ("is_driven", 1, "true or false"),
        ("gears", (11, 0), "whole numbers from 1"),
        ("gears", 11, "whole numbers from 1"),
        ("gears", "11", "whole numbers from 1"),
    ],
)
def test_values_out_of_their_domain_are_refused(name, value, expected):
    with pytest.raises(ArgumentError) as error:
        Bicycle(**{name: value})
    assert str(error.value) == (
        f"`{name}` should be {expected}. Received: {name}={value!r}"
    )
    assert error.value.argument == name
    assert isinstance(error.value, ValueError)


@pytest.mark.parametrize(
    ("name", "value"),
    [("radius", 2), ("spokes", 0), ("spokes", 36), ("grip", 0), ("gears", ())],
)
def test_the_ends_of_a_domain_are_in_it(name, value):
    assert getattr(Bicycle(**{name: value}).settings, name) == value


def test_an_unknown_argument_is_refused_by_the_class_s_name():
    with pytest.raises(TypeError, match=r"^Bicycle: .*'radios'.*mean radius\?"):
        Bicycle(radios=1)
    with pytest.raises(TypeError, match=r"^Bicycle: too many positional"):
        Bicycle(1, 2)


def test_the_constructor_s_signature_is_that_of_the_settings():
    signature = inspect.signature(Bicycle)
    assert signature == inspect.signature(Wheel).replace(
        return_annotation=inspect.Signature.empty
    )
    assert next(iter(signature.parameters)) == "radius"


def test_every_argument_is_documented_with_bounds_and_default():
    text = " ".join(inspect.getdoc(Bicycle).split())
    for expected in (
        "radius: Distance from the hub, in metres; a number above 0. Defaults to",
        "spokes: Number of spokes; a whole number from 0 to 36. Defaults to `8`.",
        "rim: Material of the rim; wood or steel. Defaults to `'wood'`.",
        "is_driven: Whether a chain turns it. Defaults to `False`.",
        "dtype: Dtype or dtype policy, such as `float64`. Defaults to `None`.",
    ):
        assert expected in text
    lines = inspect.getdoc(Bicycle).splitlines()
    assert lines.index("Args:") < lines.index("Raises:")
    assert max(map(len, lines)) <= 84


def test_hyperparameters_and_keras_arguments_are_all_arguments():
    wheel = Wheel(name="front")
    keras = wheel.keras_arguments()
    assert keras == {"name": "front", "dtype": None, "trainable": True}
    assert Wheel(**wheel.hyperparameters(), **keras) == wheel


def test_a_field_redefined_keeps_its_bounds():
    @dataclass(frozen=True, kw_only=True)
    class Big(Wheel):
        radius: float = redefined(Wheel, "radius", 9.0)
        spokes: int = redefined(Wheel, "spokes", 36, "as many as fit")

    assert Big().radius == 9
    assert Wheel.taken_from(Big(), rim="steel") == {
        **Wheel.taken_from(Big()),
        "radius": 9.0,
        "spokes": 36,
        "rim": "steel",
    }
    with pytest.raises(ArgumentError):
        Big(radius=-1)


def test_a_field_without_help_or_of_another_type_is_refused():
    @dataclass(frozen=True)
    class Bare(ModelSettings):
        rate: float = 1.0

    @dataclass(frozen=True)
    class Odd(ModelSettings):
        pair: tuple[str, str] = setting(("a", "b"), "two things")

    with pytest.raises(TypeError, match=r"Bare\.rate should be made by `setting`"):
        Bare()
    with pytest.raises(TypeError, match=r"Odd\.pair: .*tuple.* cannot be a setting"):
        domains(Odd)


def test_any_object_is_taken_where_the_type_says_so():
    assert domains(ModelSettings)["dtype"].holds(object())
    assert domains(ModelSettings)["name"].holds(None)
    kind: Any = domains(Wheel)["tyre"]
    assert kind.holds("round")
