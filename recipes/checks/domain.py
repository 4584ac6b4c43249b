"""What values a setting takes: from its type hint and its bounds."""

import math
import numbers
import types
import typing
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

_SEVERAL: dict[Any, type[int] | type[str]] = {
    tuple[int, ...]: int,
    Sequence[int]: int,
    tuple[str, ...]: str,
}


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """What a number stays within.

    Attributes:
        above: What it exceeds.
        least: The least that it may be.
        below: What it stays below.
        most: The most that it may be.
    """

    above: float | None = None
    least: float | None = None
    below: float | None = None
    most: float | None = None

    def hold(self, value: Any) -> bool:
        """Say whether a number is within them."""
        return (
            (self.above is None or value > self.above)
            and (self.least is None or value >= self.least)
            and (self.below is None or value < self.below)
            and (self.most is None or value <= self.most)
        )

    def __str__(self) -> str:
        if self.least is not None and self.most is not None:
            return f"from {self.least:.12g} to {self.most:.12g}"
        words = {
            "above": self.above,
            "from": self.least,
            "below": self.below,
            "at most": self.most,
        }
        return " and ".join(
            f"{word} {value:.12g}" for word, value in words.items() if value is not None
        )


@dataclass(frozen=True, kw_only=True)
class Domain:
    """The values that a setting takes.

    Attributes:
        switch: Whether it is on or off.
        number: int or float, where it may be a number.
        words: The words that it may be.
        text: Whether it may be any text of one line.
        several: int or str, where it is any number of whole numbers, each within the
            bounds, or of texts of one line.
        anything: Whether it may be any object: its user checks it.
        bounds: What its numbers stay within.
    """

    switch: bool = False
    number: type[int] | type[float] | None = None
    words: tuple[str, ...] = ()
    text: bool = False
    several: type[int] | type[str] | None = None
    anything: bool = False
    bounds: Bounds = Bounds()

    @classmethod
    def of_hint(cls, hint: Any, bounds: Bounds, where: str) -> Self:
        """Return the domain of a type hint.

        Args:
            hint: bool, int, float, str, `Literal[...]` of words, a union of these with
                one number at most, as in `float | Literal["auto"]`, `Sequence[int]`
                or `tuple[int, ...]`; or a union with any other type, which takes
                anything.
            bounds: What numbers stay within.
            where: Whose type it is, for the message.

        Raises:
            TypeError: If no setting can be of that type.
        """
        if hint is bool:
            return cls(switch=True)
        if hint in _SEVERAL:
            return cls(several=_SEVERAL[hint], bounds=bounds)
        union = typing.get_origin(hint) in (typing.Union, types.UnionType)
        number: type[int] | type[float] | None = None
        words: tuple[str, ...] = ()
        text = anything = False
        for part in typing.get_args(hint) if union else (hint,):
            if typing.get_origin(part) is Literal:
                words += typing.get_args(part)
            elif part is str:
                text = True
            elif part in (int, float) and number is None:
                number = part
            elif union or part is Any:
                anything = True
            else:
                raise TypeError(f"{where}: {hint} cannot be a setting")
        return cls(
            number=number, words=words, text=text, anything=anything, bounds=bounds
        )

    def holds(self, value: Any) -> bool:
        """Say whether a value is in the domain; NaN and infinity are in none."""
        if self.text and isinstance(value, str):
            return _is_line(value)
        if self.anything or (isinstance(value, str) and value in self.words):
            return True
        if self.switch:
            return isinstance(value, bool)
        if self.several:
            fits = _is_line if self.several is str else self._holds_whole_number
            return isinstance(value, tuple) and all(map(fits, value))
        is_number = is_whole_number if self.number is int else is_finite_number
        return bool(self.number) and is_number(value) and self.bounds.hold(value)

    def _holds_whole_number(self, value: Any) -> bool:
        return is_whole_number(value) and self.bounds.hold(value)

    @property
    def expected(self) -> str:
        """What a value should be, in words: "a number above 0 or auto"."""
        if self.switch:
            return "true or false"
        if self.several is str:
            return "texts of one line"
        if self.several:
            return f"whole numbers {self.bounds}".strip()
        if not self.number and not self.words:
            return "one line of text"
        kind = {int: "a whole number", float: "a number", None: ""}[self.number]
        *others, last = filter(None, [f"{kind} {self.bounds}".strip(), *self.words])
        return f"{', '.join(others)} or {last}" if others else last

    @property
    def is_restricted(self) -> bool:
        """Whether `expected` says more than the type of a default."""
        return bool(self.words or str(self.bounds)) and not self.anything


def _is_line(value: Any) -> bool:
    """Say whether it is a text of one line."""
    return isinstance(value, str) and len(value.splitlines()) <= 1


def is_finite_number(value: Any) -> bool:
    """Say whether it is a finite number, and not True or False."""
    return (
        isinstance(value, numbers.Real)
        and not isinstance(value, bool)
        and math.isfinite(value)
    )


def is_whole_number(value: Any) -> bool:
    """Say whether it is an integer, and not True or False."""
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)
