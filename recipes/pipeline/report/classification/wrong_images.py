"""Images that a classifier gets wrong, as pictures."""

import io

import numpy as np
import numpy.typing as npt
from matplotlib import image

from recipes.pipeline.report.blocks import Picture

_FEW_PIXELS = 64  # in height and width; up to here each is shown as a square

Shape = tuple[int, ...]


def is_coarse(shape: Shape) -> bool:
    """Return whether images have so few pixels that each should be visible."""
    return max(shape[:2]) <= _FEW_PIXELS


def picture(
    row: npt.ArrayLike, shape: Shape, ends: tuple[float, float], text: str, note: str
) -> Picture:
    """Return an image with a line below it.

    Args:
        row: `[h · w (· c)]`, its pixels line by line.
        shape: (h, w) or (h, w, c).
        ends: the values of black and of white.
        text: the line below it.
        note: another line, in small print.
    """
    low, high = ends
    pixels = (np.asarray(row, np.float64).reshape(shape) - low) / ((high - low) or 1.0)
    buffer = io.BytesIO()
    image.imsave(buffer, _colors(np.clip(pixels, 0, 1)), format="png")
    return Picture(buffer.getvalue(), text, note)


def _colors(pixels: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    """Return `[h, w, 3]`, grey unless there are three channels, or four with alpha."""
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    if pixels.shape[-1] not in (3, 4):
        pixels = np.repeat(pixels.mean(axis=-1, keepdims=True), 3, axis=-1)
    return (pixels[..., :3] * 255).round().astype(np.uint8)
