"""The command line: a recipe's `Config` as absl flags, and the run behind them.

A recipe's `__main__.py` is one call of `run`. TensorFlow is imported only when the
flags have been read and found right, so that help and usage errors answer at once.
"""

import contextlib
import dataclasses
import math
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn, TypeVar

from absl import app, flags, logging

from recipes import interrupts
from recipes.checks.suggestions import suggest
from recipes.errors import InputError
from recipes.pipeline.cli.config import DataConfig
from recipes.pipeline.cli.config_fields import (
    Field,
    as_text,
    fields_of,
    help_text,
)
from recipes.pipeline.cli.tensorflow_import import import_tensorflow

Config = TypeVar("Config", bound=DataConfig)

_NOT_REPEATED = frozenset({"resume"})
_TASKS = ("auto", "regression", "classification")
_LARGEST_SEED = 2**32 - 1  # numpy's limit


def run(
    config_class: type[Config],
    train_and_evaluate: Callable[[Config], Any],
    *,
    recipe: str,
    doc: str,
) -> NoReturn:
    """Reads the flags, runs the recipe and ends the process with its exit code.

    Exit 0: done. Exit 2: the user's input is wrong, told in one line on standard
    error. Exit 130: interrupted. Anything else is the program's fault: traceback, 1.

    Args:
        config_class: the recipe's `Config`, a dataclass.
        train_and_evaluate: the recipe's entry; whatever is heavy it imports itself. An
          interrupt that it raises as `KeyboardInterrupt("what was kept")` is told so.
        recipe: the recipe's name, as in `python -m recipes.NAME`.
        doc: what the recipe does; the first paragraph of `--help`.
    """
    interrupts.watch()
    define(config_class, recipe, doc)

    def read(argv: Sequence[str]) -> Config:
        try:
            config = parse(config_class, argv)
        except InputError as error:
            _complain(error)
            sys.exit(2)
        if flags.FLAGS["verbosity"].using_default_value:
            flags.FLAGS.verbosity = logging.WARNING  # else absl's app makes it INFO
        return config

    def execute(config: Config) -> int:
        try:
            with interrupts.as_keyboard_interrupt():
                import_tensorflow()
            with _warnings_last(), interrupts.as_keyboard_interrupt():
                train_and_evaluate(config)
        except InputError as error:
            _complain(error)
            return 2
        except KeyboardInterrupt as interrupt:
            kept = str(interrupt) or "the files written so far are whole"
            print(f"\ninterrupted: {_one_line(kept)}", file=sys.stderr)
            return 130
        return 0

    app.run(execute, flags_parser=read)
    raise AssertionError("app.run returned")


def define(
    config_class: type[DataConfig],
    recipe: str,
    doc: str = "",
    flag_values: flags.FlagValues = flags.FLAGS,
) -> None:
    """Defines one flag for each field of the recipe's `Config`, and `--help`.

    Args:
        config_class: a dataclass as `fields_of` takes it: each field with a default and
          a comment behind it, which is the flag's help text.
        recipe: the recipe's name, as in `python -m recipes.NAME`.
        doc: what the recipe does; the first paragraph of `--help`.
        flag_values: where the flags are defined.

    Raises:
        TypeError: a field lacks its default or its comment, or is of another type.
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
    """Turns a command line into a checked `Config`.

    Args:
        config_class: the recipe's `Config`, whose flags are defined in `flag_values`.
        argv: the program's name and its arguments.
        flag_values: where the flags are defined.

    Returns:
        The configuration.

    Raises:
        InputError: an unknown flag, a stray argument, or a bad value.
    """
    names = [field.name for field in dataclasses.fields(config_class)]
    try:
        rest = flag_values(list(argv))
    except flags.UnrecognizedFlagError as error:
        known = [*names, *(f"no{name}" for name in names), "flagfile", "help"]
        written = error.flagname.replace("-", "_")
        raise InputError(
            f"--{error.flagname}: no such flag"
            f"{suggest(written, known, '--{}')}; --help lists them"
        ) from None
    except (flags.Error, ValueError, OSError) as error:
        message = str(error).removeprefix("flag ").removeprefix("ERROR:: ")
        raise InputError(message) from None
    if len(rest) > 1:
        raise InputError(
            f"{rest[1]!r}: stray argument; settings are written --flag=value "
            "(switches --flag or --noflag)"
        )
    config = config_class(**{name: flag_values[name].value for name in names})
    check(config)
    return config


def check(config: DataConfig) -> None:
    """Checks the values that all recipes share, and that every number is finite.

    Args:
        config: any recipe's configuration.

    Raises:
        InputError: names the flag, what is wrong and what would be right.
    """
    for name, value in _values(config):
        if isinstance(value, float) and not math.isfinite(value):
            raise InputError(f"--{name}={value}: should be a finite number")
        if isinstance(value, str) and len(value.splitlines()) > 1:
            raise InputError(f"--{name}={value!r}: should be one line")
    if not 0 < config.test_fraction < 1:
        raise InputError(
            f"--test_fraction={config.test_fraction}: should lie between 0 and 1, "
            "both excluded"
        )
    if config.task not in _TASKS:
        raise InputError(
            f"--task={config.task}: should be one of {', '.join(_TASKS)}"
            f"{suggest(config.task, _TASKS)}"
        )
    if not 0 <= config.seed <= _LARGEST_SEED:
        raise InputError(
            f"--seed={config.seed}: should be a whole number from 0 to {_LARGEST_SEED}"
        )


def flags_text(config: DataConfig) -> str:
    """Writes a configuration as a flagfile that repeats its run exactly.

    Args:
        config: any recipe's configuration.

    Returns:
        One `--name=value` line per field, but for `resume`.
    """
    return "".join(
        f"--{name}={as_text(value)}\n"
        for name, value in _values(config)
        if name not in _NOT_REPEATED
    )


def command(config: DataConfig, recipe: str) -> list[str]:
    """Writes a configuration as the command that repeats its run.

    Args:
      config: the recipe's configuration.
      recipe: the recipe's name, as in `python -m recipes.NAME`.

    Returns:
      The command's words, unquoted, with those flags only that differ from their
      defaults.
    """
    default = {field.name: field.default for field in dataclasses.fields(config)}
    words = ["python", "-m", f"recipes.{recipe}"]
    for name, value in _values(config):
        if name in _NOT_REPEATED or value == default[name]:
            continue
        if isinstance(value, bool):
            words.append(f"--{name}" if value else f"--no{name}")
        else:
            words.append(f"--{name}={as_text(value)}")
    return words


def _flag(field: Field) -> flags.Flag[Any]:
    if field.switch:
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
        # What is no string is the field's default.
        return self._field.read(argument) if isinstance(argument, str) else argument

    def flag_type(self) -> str:
        return self._field.placeholder


class _HelpFlag(flags.BooleanFlag):
    """`--help`: the recipe's flags alone, in place of absl's own listing."""

    def __init__(self, text: Callable[[], str]):
        super().__init__("help", False, "show this help", "h", allow_override=True)
        self._text = text

    def parse(self, argument: Any) -> None:
        if self._parse(argument):
            sys.stdout.write(self._text())
            sys.exit(0)


def _values(config: DataConfig) -> Iterator[tuple[str, Any]]:
    for field in dataclasses.fields(config):
        yield field.name, getattr(config, field.name)


@contextlib.contextmanager
def _warnings_last() -> Iterator[None]:
    """Holds warnings back until the end, and shows each as one line without code."""
    with warnings.catch_warnings(record=True) as held:
        try:
            yield
        except (InputError, KeyboardInterrupt):  # are told alone
            held.clear()
            raise
        finally:
            sys.stdout.flush()
            for warning in held:
                print(f"warning: {_one_line(str(warning.message))}", file=sys.stderr)


def _one_line(message: str) -> str:
    return " ".join(message.splitlines())


def _complain(error: InputError) -> None:
    print(f"error: {_one_line(str(error))}", file=sys.stderr)
