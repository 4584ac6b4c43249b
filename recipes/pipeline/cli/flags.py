"""The command line: a recipe's `Config` as absl flags, and the run behind them.

TensorFlow is imported only after the flags have been read and checked, so that help and
usage errors appear at once.
"""

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn, TypeVar

from absl import app, flags, logging

from recipes.checks.settings import Settings
from recipes.checks.suggestions import suggest
from recipes.errors import ArgumentError, InputError, quote, shorten
from recipes.pipeline.cli import temporary_files
from recipes.pipeline.cli.config import DataConfig, is_frame
from recipes.pipeline.cli.config_fields import (
    Field,
    as_text,
    fields_of,
    help_text,
)
from recipes.pipeline.cli.tensorflow_import import import_tensorflow

Config = TypeVar("Config", bound=Settings)

_LONGEST_NAME = 100  # of a flag; absl compares longer ones until the stack ends
_NOT_REPEATED = frozenset({"resume"})
_FRAME_COMMENT = (
    "# A data frame, given in Python: to repeat the run by flags, write it to a file, "
    "such as Parquet, and name that.\n"
)


def run(
    config_class: type[Config],
    train_and_evaluate: Callable[[Config], Any],
    *,
    recipe: str,
    doc: str,
) -> NoReturn:
    """Read the flags and run a recipe, or another command.

    Args:
        config_class: The recipe's `Config`, or the command's settings.
        train_and_evaluate: Its entry point, which imports whatever is heavy.
        recipe: Its name, as in `python -m recipes.NAME`.
        doc: What it does; the first paragraph of `--help`.

    Raises:
        InputError: If a flag or the data are wrong.
        SystemExit: If the run is done, or the help is shown.
    """
    define(config_class, recipe, doc)

    def read(argv: Sequence[str]) -> Config:
        config = parse(config_class, argv)
        if flags.FLAGS["verbosity"].using_default_value:
            flags.FLAGS.verbosity = logging.WARNING  # else absl's app makes it INFO
        return config

    def execute(config: Config) -> None:
        temporary_files.keep_in_own_folder()
        import_tensorflow()
        with _arguments_as_flags(config_class):
            train_and_evaluate(config)

    app.run(execute, flags_parser=read)
    raise AssertionError("app.run returned")


def define(
    config_class: type[Settings],
    recipe: str,
    doc: str = "",
    flag_values: flags.FlagValues = flags.FLAGS,
) -> None:
    """Define one flag for each field of the recipe's `Config`, and `--help`.

    Args:
        config_class: The recipe's `Config`.
        recipe: The recipe's name, as in `python -m recipes.NAME`.
        doc: What the recipe does; the first paragraph of `--help`.
        flag_values: Where the flags are defined.

    Raises:
        TypeError: If a field has no help text, or a type that no flag can have.
    """
    app.define_help_flags()  # first, so that ours replaces theirs
    fields = fields_of(config_class)
    for field in fields:
        flags.DEFINE_flag(_flag(field), flag_values, module_name=f"recipes.{recipe}")
    help_flag = _HelpFlag(lambda: help_text(fields, recipe, doc))
    flags.DEFINE_flag(help_flag, flag_values, module_name=f"recipes.{recipe}")


def parse(
    config_class: type[Config],
    argv: Sequence[str],
    flag_values: flags.FlagValues = flags.FLAGS,
) -> Config:
    """Turn a command line into a checked `Config`.

    Args:
        config_class: The recipe's `Config`, whose flags are defined in `flag_values`.
        argv: The program's name and its arguments.
        flag_values: Where the flags are defined.

    Returns:
        The configuration.

    Raises:
        InputError: On an unknown flag, a stray argument, or a bad value.
    """
    names = [field.name for field in fields_of(config_class)]
    for word in argv[1:]:
        name = word.partition("=")[0]
        if name.startswith("-") and len(name) > _LONGEST_NAME:
            raise InputError(f"{shorten(name)}: no such flag; --help lists them")
    try:
        rest = flag_values(list(argv))
    except flags.UnrecognizedFlagError as error:
        known = [*names, *(f"no{name}" for name in names), "flagfile", "help"]
        written = error.flagname.replace("-", "_")
        raise InputError(
            f"--{shorten(error.flagname)}: no such flag"
            f"{suggest(written, known, '--{}')}; --help lists them"
        ) from None
    except (flags.Error, ValueError, OSError) as error:
        message = str(error).removeprefix("flag ").removeprefix("ERROR:: ")
        raise InputError(message) from None
    if len(rest) > 1:
        raise InputError(
            f"{quote(rest[1])}: stray argument; settings are written --flag=value "
            "(switches --flag or --noflag)"
        )
    with _arguments_as_flags(config_class):
        return config_class(**{name: flag_values[name].value for name in names})


def flags_text(config: DataConfig) -> str:
    """Write a configuration as a flagfile that repeats its run exactly.

    A data frame cannot be given by a flag: a comment says so.

    Args:
        config: Any recipe's configuration.

    Returns:
        One `--name=value` line per field, except `resume`.
    """
    return "".join(
        f"{_FRAME_COMMENT * is_frame(value)}--{name}={as_text(value)}\n"
        for name, value in _values(config)
        if name not in _NOT_REPEATED
    )


def command(config: DataConfig, recipe: str) -> list[str]:
    """Write a configuration as the command that repeats its run.

    Args:
        config: The recipe's configuration.
        recipe: The recipe's name, as in `python -m recipes.NAME`.

    Returns:
        The command's words, unquoted, with only the flags that differ from their
        defaults.
    """
    default = {field.name: field.default for field in fields_of(type(config))}
    words = ["python", "-m", f"recipes.{recipe}"]
    for name, value in _values(config):
        if name in _NOT_REPEATED or as_text(value) == as_text(default[name]):
            continue
        if isinstance(value, bool):
            words.append(f"--{name}" if value else f"--no{name}")
        else:
            words.append(f"--{name}={as_text(value)}")
    return words


def _flag(field: Field) -> flags.Flag[Any]:
    if field.domain.switch:
        flag = flags.BooleanFlag(field.name, field.default, field.help)
        flag.parser = _SwitchParser()
        return flag
    return flags.Flag(
        parser=_ValueParser(field),
        serializer=flags.ArgumentSerializer(),
        name=field.name,
        default=field.default,
        help_string=field.help,
    )


class _SwitchParser(flags.BooleanParser):
    def parse(self, argument: Any) -> bool:
        try:
            return super().parse(argument)
        except (TypeError, ValueError):
            raise ValueError("should be true or false") from None


class _ValueParser(flags.ArgumentParser[Any]):
    def __init__(self, field: Field):
        self._field = field

    def parse(self, argument: Any) -> Any:
        # Only a default is no string.
        return self._field.read(argument) if isinstance(argument, str) else argument

    def flag_type(self) -> str:
        return self._field.placeholder


class _HelpFlag(flags.BooleanFlag):
    """`--help`: the recipe's flags only, in place of absl's own listing."""

    def __init__(self, text: Callable[[], str]):
        super().__init__("help", False, "show this help", "h", allow_override=True)
        self._text = text

    def parse(self, argument: Any) -> None:
        if self._parse(argument):
            sys.stdout.write(self._text())
            sys.exit(0)


def _values(config: DataConfig) -> Iterator[tuple[str, Any]]:
    for field in fields_of(type(config)):
        yield field.name, getattr(config, field.name)


@contextlib.contextmanager
def _arguments_as_flags(config_class: type[Settings]) -> Iterator[None]:
    """Report a wrong argument by its flag, as whoever wrote the flag knows it.

    Raises:
        InputError: If the block raises `ArgumentError` about a setting.
    """
    try:
        yield
    except ArgumentError as error:
        if error.argument not in {field.name for field in fields_of(config_class)}:
            raise
        value = shorten(as_text(error.value))
        message = f"--{error.argument}={value}: should be {error.expected}"
        raise InputError(message) from None
