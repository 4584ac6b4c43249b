"""What all support vector machines are: Keras models that SMO trains."""

import contextlib
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from layers import KernelExpansion, PairwiseExpansion, kernels
from recipes import interrupts
from recipes.checks import inputs
from recipes.checks.prediction import ChecksRows
from recipes.checks.sparse import cut_dense, limit_size, make_batches
from recipes.svm.config import MachineSettings
from recipes.svm.models.certificate import build_certificate, warn_unless_converged
from recipes.svm.models.fit_arguments import LOGGED, check_callbacks
from recipes.svm.models.vectors import count_nonzeros, read_vectors, write_vectors
from recipes.svm.solver.convexity import is_convex
from recipes.svm.solver.descent import Descent
from recipes.svm.solver.dual import DualProblem
from recipes.svm.solver.optimality import Optimality
from recipes.svm.solver.precision import choose_origin
from recipes.svm.solver.rows import Rows, select_used
from recipes.svm.solver.solution import Solution, Trace

# The most decision values that are computed at a time for the comparison with f.
BATCH_VALUES = 2**23


class SupportVectorMachine(ChecksRows, keras.Model):
    """f(x) = Σ βᵢ k(xᵢ, x) + b, with β the exact solution of a dual problem.

    Training (`fit` of the subclasses) takes the dual problems that the data pose and
    solves them by sequential minimal optimisation, one outer iteration a training
    step. The fitted model holds the support vectors and nothing else of the data, in a
    layer of their own: how many there are is known only after training, which makes the
    layer anew. Fitting again starts afresh, unless `initial_dual_coefficients` are
    given.

    Memory: `cache_mb`, three times the data, and TensorFlow's own. Time grows with the
    square of the rows, or faster: up to some 10⁵ rows this is practicable. Sparse rows
    stay sparse where the kernel takes them, and so do their support vectors.

    Scale the features to similar size first, as the recipe does: kernels know no units.

    Args:
        settings: The arguments; see the subclasses.

    Attributes:
        support_indices: After `fit`, which training rows are support vectors, `[m]`.
        certificate: After `fit`, a dict; see `certificate.build_certificate`.
        traces: After `fit`, a `solution.Trace` of each dual problem.
    """

    prediction_batch_size = 4096  # smaller ones waste the kernel
    predict_function: Any  # Keras's, without a type
    # Whether the coefficients of each problem sum to zero.
    _sums_to_zero = True

    def __init__(self, settings: MachineSettings) -> None:
        # Keras would round rows to the model's dtype, which may not keep their digits.
        super().__init__(**settings.keras_arguments(), autocast=False)
        self._arguments = settings.hyperparameters()
        for name, value in self._arguments.items():
            setattr(self, name, value)
        # A wrong kernel should be refused here, not in `fit`.
        row = np.zeros((1, 1), np.float32)
        self._kernel_for(row, row)
        self.support_indices = np.empty(0, np.int64)
        self.expansion: Any = None
        self.certificate: dict[str, Any] = {}
        self.traces: list[Trace] = []
        # Not the solver itself: TensorFlow would track it, and keep it for good.
        self._iterate: Callable[[], Optimality] | None = None
        self.compile()

    @property
    def kernel_dtype(self) -> str:
        """The dtype of rows and kernel values: float32, or float64 where need be."""
        return self._first_dtype if self.expansion is None else self.row_dtype

    @property
    def _first_dtype(self) -> str:
        """The dtype of kernel values that the descent begins with."""
        return "float64" if self.compute_dtype == "float64" else "float32"

    def _kernel_for(self, x: Rows, used: Rows) -> kernels.Kernel:
        """Return the kernel for training rows, and those of them that have a weight."""
        named = isinstance(self.kernel, str)
        gamma = kernels.resolve_gamma(self.gamma, x) if named else 1.0
        is_linear = self.kernel == "linear" and self._sums_to_zero
        origin = choose_origin(used) if is_linear else None
        return kernels.get(
            self.kernel,
            gamma=gamma,
            degree=self.degree,
            coef0=self.coef0,
            origin=origin,
        )

    # Training ------------------------------------------------------------------------

    def train_step(self, _: Any) -> dict[str, tf.Tensor]:
        """Take one outer iteration of SMO: a working set, its small dual, the gradient.

        Returns:
            The state after it. These are no averages: the keys differ from the model's
            metrics, so Keras passes the values on as they are.
        """
        if self._iterate is None:
            raise ValueError(
                "A support vector machine is trained by `fit` only: every step needs "
                "all rows."
            )
        progress = self._iterate()
        return {name: getattr(progress, name) for name in LOGGED}

    def make_train_function(self, force: bool = False) -> None:
        """Let `fit` call `train_step` itself.

        Its work is done by functions that are compiled once for all models. A graph
        around them would have to be traced for each.
        """
        self.train_function = lambda _: self.train_step(None)

    def make_predict_function(self, force: bool = False) -> None:
        """Let `predict` compute a model's first batch without a graph.

        Tracing takes longer than a batch, and many a model, as in a cross-validation,
        has no second one. Of large batches the graph saves a quarter of the time.
        """
        if self.predict_function is not None and not force:
            return
        super().make_predict_function(force)
        traced, batches = self.predict_function, itertools.count()
        if self.distribute_strategy.num_replicas_in_sync == 1:
            self.predict_function = lambda data: (
                traced(data) if next(batches) else self.predict_step(data[0])
            )

    def _solve(
        self,
        x: Rows,
        problems: Sequence[DualProblem],
        verbose: Any,
        callbacks: Any,
        *,
        of_class: np.ndarray | None = None,
        more: Sequence[DualProblem] = (),
        keep_more: Callable[[list[Solution]], None] | None = None,
    ) -> keras.callbacks.History:
        """Solve problems of the rows of `x`, and keep the solutions as the model.

        They are kept before the callbacks that end the epoch are called, and if one of
        them, or Ctrl-C, ends the descent.

        Args:
            x: All training rows, `[n, d]`; an array or a `csr_array`.
            problems: One for each output.
            verbose: As in Keras.
            callbacks: As in Keras.
            of_class: Where there is a problem for each pair of classes, each row's
                class, `[n]`.
            more: Problems that are solved besides.
            keep_more: Called with the solutions of `more`, after the others are kept.
        """
        callbacks = check_callbacks(callbacks)
        if self.distribute_strategy.num_replicas_in_sync > 1:
            raise ValueError(
                "SMO is one descent over all rows and cannot be spread over replicas. "
                f"Received: {self.distribute_strategy.num_replicas_in_sync} replicas"
            )
        used = select_used(x, problems)
        kernel = self._kernel_for(x, used)
        convex = is_convex(kernel, x)
        rounds = tf.config.experimental.tensor_float_32_execution_enabled()

        def keep(solutions: list[Solution], dtype: str) -> None:
            own = solutions[: len(problems)]
            self._keep(kernel, x, own, dtype, of_class)
            with _tensor_float_32(rounds):
                self._compare(x, own)
            # Keras would wrap each of thousands, to look for layers.
            object.__setattr__(self, "traces", [each.trace for each in own])
            self.certificate = build_certificate(own, convex)
            if keep_more:
                keep_more(solutions[len(problems) :])

        # All 24 bits of the factors count.
        with _tensor_float_32(False):
            descent = Descent(
                kernel,
                x,
                [*problems, *more],
                keep,
                dtype=self._first_dtype,
                tolerance=self.tolerance,
                max_iterations=self.max_iterations,
                cache_bytes=self.cache_mb * 1e6,
            )
            run = _RunDescent(descent)
            self._iterate = descent.iterate
            try:
                history = super().fit(
                    # Only drives the step loop; the solver owns the data.
                    tf.data.Dataset.from_tensors(0).repeat(),
                    epochs=1,
                    callbacks=[run, *callbacks],
                    shuffle=False,
                    verbose=verbose,
                )
            except BaseException:
                run.keep_what_there_is()
                raise
            finally:
                # They hold the kernel rows.
                self._iterate = None
        warn_unless_converged(self.certificate, x)
        return history

    # What is kept --------------------------------------------------------------------

    def _keep(
        self,
        kernel: kernels.Kernel,
        x: Rows,
        solutions: Sequence[Solution],
        dtype: str,
        of_class: np.ndarray | None,
    ) -> None:
        """Keep the rows with a coefficient, and no others, as the model.

        Args:
            kernel: The kernel.
            x: All training rows, `[n, d]`.
            solutions: Of one problem for each output.
            dtype: Dtype of kernel values.
            of_class: Where there is a problem for each pair of classes, each row's
                class, `[n]`.
        """
        lengths = [len(solution.problem.rows) for solution in solutions]
        rows = np.concatenate([solution.problem.rows for solution in solutions])
        columns = np.repeat(np.arange(len(solutions)), lengths)
        if of_class is not None:
            columns = _find_columns(of_class[rows], columns)
        coefficients = np.zeros((x.shape[0], columns.max() + 1))
        coefficients[rows, columns] = np.concatenate(
            [solution.coefficients for solution in solutions]
        )
        kept = np.flatnonzero(coefficients.any(axis=1))
        if of_class is not None:
            kept = kept[np.argsort(of_class[kept], kind="stable")]
        self.support_indices = kept
        if not len(kept):
            # The layer needs at least one vector, so keep one with zero weight.
            kept = np.array([0])
        precomputed = isinstance(kernel, kernels.PrecomputedKernel)
        vectors = kept[:, np.newaxis] if precomputed else x[kept]
        options: dict[str, Any] = {
            "nonzeros": count_nonzeros(vectors),
            "dtype": dtype,
            "name": "expansion",
        }
        if of_class is None:
            expansion = KernelExpansion(len(kept), len(solutions), kernel, **options)
        else:
            counts = np.bincount(of_class[kept], minlength=of_class.max() + 1)
            expansion = PairwiseExpansion(counts.tolist(), kernel, **options)
        self._make_room(expansion, x.shape[1])
        write_vectors(expansion, vectors)
        expansion.dual_coefficients.assign(coefficients[kept])
        expansion.bias.assign([solution.bias for solution in solutions])

    def _compare(self, x: Rows, solutions: Sequence[Solution]) -> None:
        """Compare what the model computes for the training rows with the solutions."""
        checked = [solution.proof.checked for solution in solutions]
        decisions = self._decide_training_rows(x, solutions, checked)
        are_enough = [
            solution.compare(values, self.tolerance, at)
            for solution, values, at in zip(solutions, decisions, checked, strict=True)
        ]
        if not all(are_enough):
            everywhere = [slice(None)] * len(solutions)
            decisions = self._decide_training_rows(x, solutions, everywhere)
            for solution, values in zip(solutions, decisions, strict=True):
                solution.compare(values, self.tolerance)

    def _decide_training_rows(
        self, x: Rows, solutions: Sequence[Solution], checked: Sequence[Any]
    ) -> list[np.ndarray]:
        """Compute f of some rows of each problem, as the model does.

        Args:
            x: All training rows, `[n, d]`.
            solutions: Of one problem for each output.
            checked: For each, indices of its problem's rows, ascending, or a slice.
        """
        wanted = [
            solution.problem.rows[part]
            for solution, part in zip(solutions, checked, strict=True)
        ]
        rows = np.unique(np.concatenate(wanted))
        decisions = [np.empty(len(own)) for own in wanted]
        size = max(1, min(self.prediction_batch_size, BATCH_VALUES // len(solutions)))
        for start in range(0, len(rows), size):
            own = rows[start : start + size]
            # A slice where it will do: an index would copy the rows.
            whole = own[-1] - own[0] + 1 == len(own)
            part = x[own[0] : own[-1] + 1] if whole else x[own]
            batch = np.concatenate([self.decisions(b) for b in cut_dense(part, size)])
            for unit, each in enumerate(wanted):
                place = slice(*np.searchsorted(each, [own[0], own[-1] + 1]))
                decisions[unit][place] = batch[np.searchsorted(own, each[place]), unit]
        return decisions

    def _make_room(self, expansion: KernelExpansion, features: int) -> None:
        if not expansion.built:  # one that was loaded is
            expansion.build((None, features))
        self._replace_layer("expansion", expansion)
        self.predict_function = self.test_function = None

    def _replace_layer(self, name: str, layer: keras.layers.Layer | None) -> None:
        # Keras locks a model once it is built; sizes are known only after training.
        self._tracker.unlock()
        if getattr(self, name) is not None:
            self._layers.remove(getattr(self, name))
        setattr(self, name, layer)
        self._tracker.lock()
        self.built = True

    # The fitted model ----------------------------------------------------------------

    @property
    def support_vectors(self) -> Any:
        """The rows that carry the decision function, `[m, d]`.

        An array; a `scipy.sparse.csr_array` if the model was fitted to sparse rows that
        stayed sparse.
        """
        return read_vectors(self._fitted())

    @property
    def dual_coefficients(self) -> np.ndarray:
        """β of the support vectors, float64, `[m, units]`."""
        return self._fitted().unpacked()

    @property
    def bias(self) -> np.ndarray:
        """b, float64, `[units]`: scikit-learn's `intercept_`, minus LIBSVM's rho."""
        expansion = self._fitted()
        bias = expansion.bias.numpy()
        origin = getattr(expansion.kernel, "origin", None)
        if origin is None:
            return bias
        rows = expansion.support_vectors.numpy().astype(np.float64) - origin
        return bias - self.dual_coefficients.T @ (rows @ np.array(origin))

    def decisions(self, inputs: Any) -> Any:
        """Return f(x) of each dual problem: `[batch, d]` → `[batch, units]`."""
        return self._fitted()(self._as_tensor(inputs))

    def call(self, inputs: Any) -> Any:
        """Map `inputs` of shape `[batch, d]` to decision values `[batch, units]`."""
        return self.decisions(inputs)

    def _as_tensor(self, x: Any) -> Any:
        """Return a tensor, symbolic or not, as it is, and other rows if they are good.

        The graph of a layer has no place to complain in.
        """
        if tf.is_tensor(x) or keras.backend.is_keras_tensor(x):
            return x
        return inputs.check_new_rows(x, self.row_shape, self.row_dtype)

    def evaluate(
        self, x: Any = None, y: Any = None, *, sample_weight: Any = None, **kwargs: Any
    ) -> Any:
        """Return the metric, as Keras does, for the data that `fit` takes.

        Args:
            x: Rows, or a dataset of batches, as in `fit`.
            y: Labels or numbers, as in `fit`.
            sample_weight: `[n]`, not negative.
            **kwargs: `verbose`, `return_dict`, … of `keras.Model.evaluate`.

        Raises:
            ValueError: If the data are not as documented.
        """
        shape, dtype = self.row_shape, self.row_dtype
        if isinstance(x, tf.data.Dataset):
            inputs.check_dataset(x, y, sample_weight)
        else:
            data = inputs.check_data(x, y, sample_weight, dtype, keeps_sparse=True)
            x, y, sample_weight = data.x, self._check_targets(data.y), data.weight
        with inputs.checked_rows(x, shape, dtype) as rows:
            if not isinstance(rows, tf.data.Dataset):
                # Keras rounds arrays to its own dtype, but no datasets.
                size = kwargs.pop("batch_size", None) or self.prediction_batch_size
                size = limit_size(rows, size)
                parts = [make_batches(rows, size)]
                parts += [
                    tf.data.Dataset.from_tensor_slices(each).batch(size)
                    for each in (y, sample_weight)
                    if each is not None
                ]
                rows, y, sample_weight = tf.data.Dataset.zip(tuple(parts)), None, None
            return super().evaluate(rows, y, sample_weight=sample_weight, **kwargs)

    def _check_targets(self, y: np.ndarray) -> Any:
        """Return what `test_step` compares predictions with."""
        raise ValueError(f"{type(self).__name__} has no labels to evaluate.")

    def inference_model(self) -> keras.Model:
        """Return the model to serve: from feature rows, with the support vectors only.

        Returns:
            A functional model that shares this one's layers.
        """
        rows = keras.Input(self.row_shape, dtype=self.row_dtype, name="features")
        return keras.Model(rows, self._outputs(rows), name=self.name)

    def _outputs(self, x: Any) -> Any:
        return self.call(x)

    def _fitted(self) -> Any:
        if self.expansion is None:
            raise ValueError(f"{type(self).__name__} is not fitted yet: call `fit`.")
        return self.expansion

    @property
    def row_shape(self) -> tuple[int]:
        """The number of features; for a precomputed kernel, of training rows."""
        return (int(self._fitted().input_spec.axes[-1]),)

    @property
    def row_dtype(self) -> str:
        """The dtype of the rows that the model computes with."""
        return str(self._fitted().kernel_dtype)

    # Keras ---------------------------------------------------------------------------

    def compile(self, optimizer: Any = None, **kwargs: Any) -> None:
        """Set Keras's options; the optimiser is SMO and the loss the machine's own.

        Args:
            optimizer: `None`.
            **kwargs: `run_eagerly`, … of `keras.Model.compile`. `jit_compile` and
                `steps_per_execution` change nothing: XLA compiles the inner steps, and
                the solver looks at each outer one.
        """
        if optimizer is not None or kwargs.pop("loss", None) is not None:
            raise ValueError(
                "`optimizer` and `loss` should be omitted: a support vector machine "
                "brings its own, sequential minimal optimisation."
            )
        # On a GPU Keras would want XLA to compile the outer steps too.
        fixed = {"jit_compile": False, "steps_per_execution": 1}
        super().compile(optimizer=None, **{**kwargs, **fixed})

    def export(self, filepath: Any, **kwargs: Any) -> None:
        """Export `inference_model` as Keras does: a SavedModel or another format."""
        self.inference_model().export(filepath, **kwargs)

    def save(self, filepath: Any, **kwargs: Any) -> None:
        """Save the model as a `.keras` file."""
        if not str(filepath).endswith(".keras"):
            raise ValueError(
                "`filepath` should end in .keras, the format that holds all of a "
                f"machine; `export` writes a SavedModel. Received: {filepath}"
            )
        super().save(filepath, **kwargs)

    def load_weights(self, filepath: Any, **kwargs: Any) -> None:
        """Load the weights of a machine with as many support vectors.

        Raises:
            ValueError: If the model is not fitted: it has no room for any.
        """
        if self.expansion is None:
            raise ValueError(
                "`load_weights` should follow `fit`, which finds the number of support "
                'vectors. A file of the whole model, by `save("machine.keras")`, holds '
                "that and the labels too: `keras.saving.load_model` reads it."
            )
        super().load_weights(filepath, **kwargs)

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Do nothing: the model is compiled from the start."""

    def build(self, input_shape: Any) -> None:
        """Do nothing: the sizes of the weights are known after `fit`."""
        self.built = True

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        kernel = self.kernel
        if not isinstance(kernel, str | dict):
            kernel = kernels.serialize(kernels.get(kernel))
        return {
            "name": self.name,
            "dtype": keras.dtype_policies.serialize(self.dtype_policy),
            "trainable": self.trainable,
            **{name: getattr(self, name) for name in self._arguments},
            "kernel": kernel,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        """Build the model from its config, without weights."""
        return cls(**config)

    def get_build_config(self) -> dict[str, Any]:
        """Return the sizes that training found."""
        if self.expansion is None:
            return {}
        return {
            "expansion": keras.saving.serialize_keras_object(self.expansion),
            "features": self.row_shape[0],
        }

    def build_from_config(self, config: Mapping[str, Any]) -> None:
        """Make room for the weights of a trained model."""
        if config:
            expansion = keras.saving.deserialize_keras_object(config["expansion"])
            self._make_room(expansion, config["features"])


def _find_columns(own: np.ndarray, pair: np.ndarray) -> np.ndarray:
    """Return the columns of a `PairwiseExpansion` for rows of a class in a pair.

    Args:
        own: The row's class, one of the pair, `[m]`.
        pair: The number of the pair, `[m]`.
    """
    first, second = np.triu_indices(own.max() + 1, 1)
    other = np.where(own == first[pair], second[pair], first[pair])
    return other - (other > own)  # a class has no column for itself


class _RunDescent(keras.callbacks.Callback):
    """Let the descent look at each step, and end the training when it is done.

    It comes first: the callbacks after it that end the epoch see the fitted model.
    """

    def __init__(self, descent: Descent) -> None:
        super().__init__()
        self.descent = descent
        self.is_under_way = False

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Finish, continue or begin problems."""
        interrupts.check()
        self.is_under_way = True
        if not self.descent.advance():
            self.model.stop_training = True

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Keep what a callback's early stop left, which is not optimal."""
        self.is_under_way = False
        self.descent.interrupt()

    def keep_what_there_is(self) -> None:
        """Keep the solutions so far after an error, unless none was begun."""
        if self.is_under_way:
            # The error that ended the descent is the one to be seen.
            with contextlib.suppress(Exception):
                self.on_epoch_end(0)


@contextlib.contextmanager
def _tensor_float_32(enabled: bool) -> Iterator[None]:
    """Let GPUs round the factors of products to 10 bits (TensorFloat-32), or not."""
    before = tf.config.experimental.tensor_float_32_execution_enabled()
    tf.config.experimental.enable_tensor_float_32_execution(enabled)
    try:
        yield
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(before)
