"""Settings: the hyper-parameters of a model, each written down once.

A model's settings are a frozen dataclass, `ModelSettings`, whose fields are made by
`setting`: a default, what the value means, and its bounds. From it come

- the constructor's arguments, with their types, defaults and checks (`configured_by`),
- their documentation in the class's docstring (`documented_by`),
- `get_config` (`ModelSettings.hyperparameters`),
- and the flags of a command line whose `Config` inherits it.
"""

import dataclasses
import functools
import inspect
import textwrap
import typing
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, Concatenate, ParamSpec, TypeVar

from recipes.checks.domain import Bounds, Domain
from recipes.checks.suggestions import suggest
from recipes.errors import ArgumentError

P = ParamSpec("P")
T = TypeVar("T")
Model = TypeVar("Model")
_DOCSTRING_WIDTH = 88


def setting(
    default: T,
    help: str,
    *,
    above: float | None = None,
    least: float | None = None,
    below: float | None = None,
    most: float | None = None,
    is_flag: bool = True,
) -> T:
    """Make a field of a settings dataclass.

    Args:
        default: Its default.
        help: What the value means, with its unit, as a phrase without a full stop.
        above: A bound that a number exceeds.
        least: The least that a number may be.
        below: A bound that a number stays below.
        most: The most that a number may be.
        is_flag: Whether a command line has a flag for it.
    """
    bounds = Bounds(above=above, least=least, below=below, most=most)
    field: T = dataclasses.field(
        default=default, metadata={"help": help, "bounds": bounds, "is_flag": is_flag}
    )
    return field


def redefined(settings: type, name: str, default: T, help: str = "") -> T:
    """Make a field of `settings` anew, with another default or help text.

    Args:
        settings: The dataclass that has the field.
        name: The field's name.
        default: The default here.
        help: What the value means here; "" where it means the same.
    """
    (field,) = (each for each in dataclasses.fields(settings) if each.name == name)
    metadata = {**field.metadata, "help": help or field.metadata["help"]}
    anew: T = dataclasses.field(default=default, metadata=metadata)
    return anew


@dataclass(frozen=True)
class Settings:
    """Base of all settings: checks the values of its fields.

    Raises:
        ArgumentError: If a value is not in its field's domain.
    """

    def __post_init__(self) -> None:
        """Check the values; sequences become tuples, NumPy's scalars Python's."""
        for name, domain in domains(type(self)).items():
            value = getattr(self, name)
            if domain.several and isinstance(value, Sequence):
                value = value if isinstance(value, str) else tuple(value)
            elif hasattr(value, "item") and not domain.anything:
                value = value.item() if value.shape == () else value
            object.__setattr__(self, name, value)
            if not domain.holds(value):
                raise ArgumentError(name, domain.expected, value)

    @classmethod
    def taken_from(cls, config: "Settings", **changes: Any) -> dict[str, Any]:
        """Return this class's fields as a wider configuration has them, by name.

        Args:
            config: Settings that have all fields of this class.
            **changes: Values to replace.
        """
        names = [field.name for field in dataclasses.fields(cls)]
        return {name: getattr(config, name) for name in names} | changes


@dataclass(frozen=True)
class ModelSettings(Settings):
    """The arguments of every model: a subclass adds hyper-parameters to Keras's own."""

    _: KW_ONLY
    name: str | None = setting(None, "the model's name", is_flag=False)
    dtype: Any = setting(
        None, "dtype or dtype policy, such as `float64`", is_flag=False
    )
    trainable: bool = setting(True, "whether weights are trained", is_flag=False)

    def keras_arguments(self) -> dict[str, Any]:
        """Return what `keras.Model` takes."""
        return {name: getattr(self, name) for name in _KERAS}

    def hyperparameters(self) -> dict[str, Any]:
        """Return all other arguments, by name."""
        fields = dataclasses.fields(self)
        return {f.name: getattr(self, f.name) for f in fields if f.name not in _KERAS}


_KERAS = tuple(field.name for field in dataclasses.fields(ModelSettings))


def domains(settings: type) -> dict[str, Domain]:
    """Return what values each field takes, by name.

    Raises:
        TypeError: If a field is of a type that no setting can have, or is not made by
            `setting`.
    """
    hints = typing.get_type_hints(settings)
    found = {}
    for field in dataclasses.fields(settings):
        where = f"{settings.__name__}.{field.name}"
        if not field.metadata.get("help"):
            raise TypeError(f"{where} should be made by `setting`, with a help text")
        bounds = field.metadata["bounds"]
        found[field.name] = Domain.of_hint(hints[field.name], bounds, where)
    return found


def configured_by(
    settings: Callable[P, T],
) -> Callable[[Callable[[Model, T], None]], Callable[Concatenate[Model, P], None]]:
    """Give a constructor the arguments of a settings dataclass.

    Args:
        settings: The dataclass.

    Returns:
        A decorator of an `__init__` that takes the settings as its one argument.
    """
    parameters = list(inspect.signature(settings).parameters.values())

    def decorate(
        init: Callable[[Model, T], None],
    ) -> Callable[Concatenate[Model, P], None]:
        @functools.wraps(init)
        def __init__(self: Model, /, *args: P.args, **kwargs: P.kwargs) -> None:
            try:
                inspect.Signature(parameters).bind(*args, **kwargs)
            except TypeError as error:
                names = [parameter.name for parameter in parameters]
                unknown = next((name for name in kwargs if name not in names), "")
                hint = suggest(unknown, names)
                raise TypeError(f"{type(self).__name__}: {error}{hint}") from None
            init(self, settings(*args, **kwargs))

        first = next(iter(inspect.signature(init).parameters.values()))
        vars(__init__)["__signature__"] = inspect.Signature([first, *parameters])
        return __init__

    return decorate


def documented_by(settings: type[ModelSettings]) -> Callable[[type[T]], type[T]]:
    """Write the arguments of a settings dataclass into a class's docstring.

    Args:
        settings: The dataclass.

    Returns:
        A decorator of a class whose docstring has a line `{arguments}`.
    """

    def decorate(cls: type[T]) -> type[T]:
        cls.__doc__ = (cls.__doc__ or "").replace(
            "{arguments}", "\n".join(_entries(settings)).strip()
        )
        return cls

    return decorate


def _entries(settings: type[ModelSettings]) -> typing.Iterator[str]:
    # Positional arguments come first, then the others, and Keras's own last.
    names = [p for p in inspect.signature(settings).parameters if p not in _KERAS]
    fields = {field.name: field for field in dataclasses.fields(settings)}
    for name in (*names, *_KERAS):
        help, domain = fields[name].metadata["help"], domains(settings)[name]
        words = help[:1].upper() + help[1:] if help[:2].isalpha() else help
        text = f"{name}: {words}"
        text += f"; {domain.expected}" if domain.is_restricted else ""
        yield textwrap.fill(
            f"{text}. Defaults to `{fields[name].default!r}`.",
            _DOCSTRING_WIDTH,
            initial_indent=" " * 8,
            subsequent_indent=" " * 12,
            break_on_hyphens=False,
            break_long_words=False,
        )
