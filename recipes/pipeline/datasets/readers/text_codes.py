"""The different texts of a column, as numbers."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import tensorflow as tf

from layers import cells
from recipes.pipeline.datasets.encoding import is_prose

# A column of more different texts is not categories, and not worth the memory unless
# they are sentences.
_MOST_TEXTS = 100_000
# All codes have to be float32, and all texts have to fit into the memory some times.
_MOST_SENTENCES = 2**24
MOST_MEGABYTES = 256


class TextCodes:
    """The different texts of a column, cleaned and numbered as they appear.

    Args:
        na_values: Texts that mean "not known", besides the usual ones. Of these,
            `PLACEHOLDERS` are texts: only among numbers and dates are they blanks.

    Attributes:
        counts: The number of cells of each text, in the order of their codes.
        had_blanks: Whether blanks or quotation marks around a text were left out.
        is_full: Whether there are more texts than are numbered: 100,000, or
            `MOST_MEGABYTES` of sentences.
    """

    def __init__(self, na_values: Sequence[str] = ()) -> None:
        self._na_values = tuple(na_values)
        self._kept = cells.PLACEHOLDERS - frozenset(na_values)
        self._code: dict[str, int] = {}
        self.counts: dict[str, int] = {}
        self.had_blanks = False
        self.is_full = False
        self._bytes = 0

    def encode(self, column: pa.DictionaryArray) -> npt.NDArray[np.float64]:
        """Return the code of each cell [n], NaN for a blank."""
        raw = [text or "" for text in column.dictionary.to_pylist()]
        places = column.indices.fill_null(len(raw)).to_numpy()
        cells_of = np.bincount(places, minlength=len(raw) + 1)
        codes = np.full(len(raw) + 1, np.nan)
        cleaned = cells.clean(tf.constant(raw, tf.string))
        is_blank = cells.is_blank(cleaned, self._na_values).numpy()
        for place, clean in enumerate(cleaned.numpy()):
            text = clean.decode()
            if is_blank[place] and text not in self._kept:
                continue
            self.had_blanks |= text != raw[place]
            if text not in self._code:
                self._bytes += len(clean)
                if not self._has_room():
                    self.is_full = True
                    break
                self._code[text] = len(self._code)
                self.counts[text] = 0
            codes[place] = self._code[text]
            self.counts[text] += int(cells_of[place])
        return codes[places]

    def _has_room(self) -> bool:
        count = len(self._code)
        if count == _MOST_TEXTS and not is_prose(self.counts):
            return False
        return count < _MOST_SENTENCES and self._bytes <= MOST_MEGABYTES << 20
