"""The sections of every classification.

Each function takes the target's `Column`, whose levels are the classes, and the
`Decisions` on the rows to report on.
"""

from recipes.pipeline.report.classification.confusion import confusion_matrix
from recipes.pipeline.report.classification.reliability import calibration
from recipes.pipeline.report.classification.roc import separation
from recipes.pipeline.report.classification.scores import (
    class_by_class,
    describe_threshold,
    highlights,
    outcome,
    scores,
)
from recipes.pipeline.report.classification.wrong_rows import mistakes

__all__ = [
    "calibration",
    "class_by_class",
    "confusion_matrix",
    "describe_threshold",
    "highlights",
    "mistakes",
    "outcome",
    "scores",
    "separation",
]
