"""The base of the classifiers: classes, their dual problems, probabilities."""

import itertools
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from layers import OneVsOne, PairwiseCoupling, PlattScaling
from recipes.checks.inputs import check_finite
from recipes.svm.config import ClassifierSettings
from recipes.svm.models import cross_fitting
from recipes.svm.models.base import SupportVectorMachine
from recipes.svm.models.fit_arguments import check_arguments
from recipes.svm.models.inputs import (
    as_labels,
    check_training_data,
    index_classes,
    weigh_rows,
)
from recipes.svm.solver.dual import DualProblem, warm_start
from recipes.svm.solver.solution import Solution


class Classifier(SupportVectorMachine):
    """The base of C-SVC and ν-SVC: classes, dual problems, scores, probabilities.

    Two classes are one problem, whose score is positive for the second class. More are
    a problem for each pair (a, b), in the order (0, 1), (0, 2), …, (1, 2), …, positive
    for class b; or one for each class against the rest.

    Args:
        settings: The arguments; see the subclasses.

    Attributes:
        classes: After `fit`, the labels in ascending order, `[k]`.
        held_out_decisions: After `fit` with `probability=True` on two classes, f(x) of
            each training row by a machine that was not fitted to it, `[n]`, with NaN
            for rows without weight; empty otherwise.
    """

    def __init__(self, settings: ClassifierSettings) -> None:
        super().__init__(settings)
        self.classes = np.empty(0)
        self.held_out_decisions = np.empty(0)
        self.platt: Any = None
        self.accuracy = keras.metrics.Mean(name="accuracy")

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        *,
        sample_weight: Any = None,
        class_weight: Mapping[Any, float] | str | None = None,
        verbose: Any = "auto",
        callbacks: Any = None,
        initial_dual_coefficients: Any = None,
        **refused: Any,
    ) -> keras.callbacks.History:
        """Solve the dual problems of all rows.

        If a callback raises an error, or Ctrl-C is pressed, the model is what was
        solved so far, with the `stop_reason` `"interrupted"`.

        Args:
            x: `[n, d]`; an array, a SciPy sparse array, or a
                `tf.data.Dataset` of batches `(x, y)` or `(x, y, sample_weight)`. For
                the kernel `"precomputed"`, its matrix `[n, n]`.
            y: `[n]` or `[n, 1]`: integers or strings.
            sample_weight: `[n]`, not negative: factors of the rows' bounds.
            class_weight: `{label: factor}`, or `"balanced"`.
            verbose: As in Keras.
            callbacks: Keras callbacks; a batch is an outer iteration.
            initial_dual_coefficients: Where to start, `[n]` or `[n, problems]`.
            **refused: Keras's other arguments, which have no meaning here.

        Returns:
            Keras's `History`.

        Raises:
            ValueError: If the data are not as documented, or of one class only.

        Warns:
            ConvergenceWarning: If the tolerance was not reached.
        """
        check_arguments(refused)
        data = check_training_data(x, y, sample_weight, self._first_dtype, self.kernel)
        classes, index = index_classes(data.y, data.weight)
        weight = weigh_rows(class_weight, classes, index, data.weight)
        problems = self._problems(len(classes), index, weight)
        more: list[DualProblem] = []
        if self.probability:
            folds = [
                cross_fitting.split_folds(
                    problem,
                    lambda rows, positive: self._fold(rows, positive, weight[rows]),
                    self.seed,
                )
                for problem in problems
            ]
            more = [fold.problem for each in folds for fold in each]
        problems = warm_start(problems, initial_dual_coefficients, data.x.shape[0])

        pairs = len(classes) > 2 and self.multiclass == "one_vs_one"

        def keep(held_out: list[Solution]) -> None:
            self.classes = classes
            if self.probability:
                decided = cross_fitting.decide_held_out(
                    self.expansion.kernel, data.x, folds, held_out
                )
                sigmoids = cross_fitting.fit_sigmoids(decided, data.weight)
                self.held_out_decisions = np.empty(0)
                if len(decided) == 1:
                    self.held_out_decisions = np.full(len(index), np.nan)
                    self.held_out_decisions[decided[0].rows] = decided[0].decisions
                self._set_sigmoids(len(problems))
                self.platt.slope.assign([slope for slope, _ in sigmoids])
                self.platt.offset.assign([offset for _, offset in sigmoids])

        return self._solve(
            data.x,
            problems,
            verbose,
            callbacks,
            of_class=index if pairs else None,
            more=more,
            keep_more=keep,
        )

    def _problems(
        self, count: int, index: np.ndarray, weight: np.ndarray
    ) -> list[DualProblem]:
        """Return the dual problems, of rows with a weight."""
        rows_of = [np.flatnonzero((index == c) & (weight > 0)) for c in range(count)]
        if count > 2 and self.multiclass == "one_vs_one":
            splits = [
                (np.sort(np.concatenate([rows_of[a], rows_of[b]])), b)
                for a, b in itertools.combinations(range(count), 2)
            ]
        else:
            rows = np.flatnonzero(weight > 0)
            splits = [(rows, c) for c in ([1] if count == 2 else range(count))]
        return [
            self._problem(rows, index[rows] == second, weight[rows])
            for rows, second in splits
        ]

    def _problem(
        self, rows: np.ndarray, positive: np.ndarray, weight: np.ndarray
    ) -> DualProblem:
        """Return the dual problem of two classes."""
        raise NotImplementedError

    def _fold(
        self, rows: np.ndarray, positive: np.ndarray, weight: np.ndarray
    ) -> DualProblem:
        """Return the problem without the rows that a fold holds out."""
        return self._problem(rows, positive, weight)

    def _set_sigmoids(self, units: int) -> None:
        platt = PlattScaling(dtype="float64", name="platt")
        platt.build((None, units))
        self._replace_layer("platt", platt)

    # The fitted model ----------------------------------------------------------------

    def call(self, inputs: Any) -> Any:
        """Map `inputs` `[batch, d]` to scores `[batch, 1]`, or `[batch, k]`.

        One score is positive for the second class; of k scores the largest decides.
        """
        return self._scores(self.decisions(inputs))

    def probabilities(self, inputs: Any) -> Any:
        """Return the probability of each class: `[batch, d]` → `[batch, k]`."""
        return self._probabilities(self.decisions(inputs))

    def predict_classes(self, x: Any, **kwargs: Any) -> np.ndarray:
        """Return the label of each row, `[n]`; `kwargs` are those of `predict`."""
        scores = self.predict(x, **kwargs)
        check_finite("scores", scores)  # of huge rows: comparing NaN gives a class
        two = scores.shape[1] == 1
        index = (scores[:, 0] > 0).astype(int) if two else scores.argmax(axis=1)
        return self.classes[index]

    @property
    def metrics(self) -> list[keras.Metric]:
        """The metric that `test_step` updates."""
        # With Keras's own loss among them, `evaluate` of Keras 3.10 returns tensors.
        return [self.accuracy]

    def _check_targets(self, y: np.ndarray) -> Any:
        y = as_labels(y)
        if (y.dtype.kind == "U") != (self.classes.dtype.kind == "U"):
            raise ValueError(
                "`y` should hold labels as in `fit`, such as "
                f"{self.classes[0].item()!r}. Received: {y[0].item()!r}"
            )
        # Keras takes strings only as a tensor.
        return tf.constant(y) if y.dtype.kind == "U" else y

    def test_step(self, data: Any) -> dict[str, tf.Tensor]:
        """Update the accuracy with one batch of rows and labels."""
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        scores = self(x, training=False)
        classes = tf.constant(self.classes)
        best = (
            tf.cast(scores[:, 0] > 0, tf.int64)
            if scores.shape[1] == 1
            else tf.argmax(scores, axis=1)
        )
        label = tf.cast(tf.reshape(y, [-1]), classes.dtype)
        self.accuracy.update_state(
            tf.cast(tf.gather(classes, best) == label, tf.float32),
            sample_weight,
        )
        return {"accuracy": self.accuracy.result()}

    def _scores(self, decisions: Any) -> Any:
        if self._pairs:
            return OneVsOne(len(self.classes), dtype=self.row_dtype)(decisions)
        return decisions

    def _probabilities(self, decisions: Any) -> Any:
        if self.platt is None:
            raise ValueError(
                "Probabilities should be requested before `fit`, by probability=True."
            )
        second = self.platt(decisions)
        if self._pairs:
            # The layer takes the probability of a pair's first class.
            return PairwiseCoupling(len(self.classes), dtype="float64")(1 - second)
        if len(self.classes) == 2:
            return keras.ops.concatenate([1 - second, second], axis=-1)
        return second / keras.ops.sum(second, axis=-1, keepdims=True)

    def _outputs(self, x: Any) -> Any:
        decisions = self.decisions(x)
        scores = self._scores(decisions)
        if not self.probability:
            return scores
        return {"scores": scores, "probabilities": self._probabilities(decisions)}

    @property
    def _pairs(self) -> bool:
        return len(self.classes) > 2 and self.multiclass == "one_vs_one"

    # Keras ---------------------------------------------------------------------------

    def get_build_config(self) -> dict[str, Any]:
        """Return the sizes that training found, and the labels."""
        config = super().get_build_config()
        return {**config, "classes": self.classes.tolist()} if config else config

    def build_from_config(self, config: Mapping[str, Any]) -> None:
        """Make room for the weights of a trained model."""
        super().build_from_config(config)
        if config:
            self.classes = np.array(config["classes"])
            if self.probability:
                self._set_sigmoids(self.expansion.units)
