"""The layer that takes dates apart."""

from typing import Any

import keras
import tensorflow as tf

from layers.cells.dates import count_days_of_month

_TURN = 6.283185307179586
_DAY = 86_400_000  # milliseconds


@keras.saving.register_keras_serializable("descent_recipes")
class CalendarParts(keras.layers.Layer):
    """Turns each date into its year and the places in its month, day, week and year.

    A date is the number of days since 1970-01-01, with the time of day as a fraction.
    Of each the layer computes the `PARTS`: the year, a number; and for whatever comes
    round again its sine and cosine, which have no jump from December to January:

    | part | angle |
    |---|---|
    | month | (month − 1) / 12 of a full turn |
    | day | (day − 1) / days of this month |
    | weekday | from Monday, 0, to Sunday, 6 / 7 |
    | hour | hour / 24, without minutes |
    | minute | minute / 60, without seconds |

    The calendar is the Gregorian, also before 1582. A missing date (NaN) has the parts
    NaN.

    Args:
        name: Name of the layer. Defaults to `None`: Keras chooses one.
        trainable: Has no effect: there are no weights. Defaults to `True`.
        dtype: Dtype or dtype policy. Times of day need `"float64"`. Defaults to `None`,
            the global policy.

    Attributes:
        PARTS: The parts' names, in the order of the output.

    Example:
    >>> CalendarParts()(keras.ops.array([[-365.0]]))  # 1 January 1969, a Wednesday
    array([[1969., 0., 1., 0., 1., 0.9749, -0.2225, 0., 1., 0., 1.]], dtype=float32)
    """

    PARTS = (
        "year",
        *("month sin", "month cos", "day sin", "day cos"),
        *("weekday sin", "weekday cos", "hour sin", "hour cos"),
        *("minute sin", "minute cos"),
    )

    def __init__(
        self,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: str | keras.DTypePolicy | None = None,
    ) -> None:
        super().__init__(name=name, trainable=trainable, dtype=dtype)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Mark the layer as built: it has no weights."""
        self.built = True

    def call(self, inputs: Any) -> Any:
        """Map days of shape `(..., dates)` to `(..., dates * len(PARTS))`."""
        days = tf.cast(inputs, tf.float64)
        known = tf.math.is_finite(days)
        parts = _take_apart(tf.where(known, days, tf.zeros_like(days)))
        nan = tf.constant(float("nan"), tf.float64)
        joined = tf.where(known[..., tf.newaxis], tf.stack(parts, axis=-1), nan)
        shape = tf.concat([tf.shape(days)[:-1], [days.shape[-1] * len(parts)]], 0)
        return tf.cast(tf.reshape(joined, shape), self.compute_dtype)

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        """Return the input's shape with all parts of all dates as last axis."""
        dates = input_shape[-1]
        width = None if dates is None else dates * len(self.PARTS)
        return (*input_shape[:-1], width)


def _take_apart(days: Any) -> list[Any]:
    """Return the parts of finite days, float64."""
    # To the millisecond, as a fraction of days is hardly ever exact: 10 o'clock may
    # come as a moment before.
    time = tf.cast(tf.round(days * _DAY), tf.int64)
    day, minute = time // _DAY, time % _DAY // 60_000
    year, month, day_of_month = civil_from_days(day)
    places = (
        (month - 1, 12),
        (day_of_month - 1, count_days_of_month(year, month)),
        ((day + 3) % 7, 7),  # 1970-01-01 was a Thursday
        (minute // 60, 24),
        (minute % 60, 60),
    )
    parts = [tf.cast(year, tf.float64)]
    for place, period in places:
        angle = tf.cast(place, tf.float64) * (_TURN / tf.cast(period, tf.float64))
        parts += [tf.sin(angle), tf.cos(angle)]
    return parts


def civil_from_days(days: Any) -> tuple[Any, Any, Any]:
    """Return year, month and day of the Gregorian calendar.

    Args:
        days: int64 tensor, since 1970-01-01.
    """
    # Every 400 years, from March of year 0 on, have 146,097 days. Leaving out the leap
    # days before it, a day's number divided by 365 is its year.
    days = days + 719_468
    era, day = days // 146_097, days % 146_097
    leap_days = day // 1_460 - day // 36_524 + day // 146_096
    year = (day - leap_days) // 365
    day -= 365 * year + year // 4 - year // 100
    month = (5 * day + 2) // 153  # from March, 0
    day_of_month = day - (153 * month + 2) // 5 + 1
    is_next = month >= 10  # January and February
    month += tf.where(is_next, tf.constant(-9, tf.int64), 3)
    return era * 400 + year + tf.cast(is_next, tf.int64), month, day_of_month
