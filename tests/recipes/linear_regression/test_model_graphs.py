"""`LinearRegression` compiles its steps once for all models, which share nothing."""

import subprocess
import sys

import numpy as np
import pytest

from recipes.linear_regression.model import LinearRegression, compiled_steps
from tests.recipes.linear_regression.fitting import data, fit, theta_of


@pytest.mark.parametrize("method", ["gram", "full"])
def test_another_model_of_the_same_width_traces_nothing(method):
    fit(*data(), method=method)
    before = compiled_steps.experimental_get_tracing_count()
    for rows in (60, 70, 90):
        fit(*data(n=rows), method=method)
    assert compiled_steps.experimental_get_tracing_count() == before


@pytest.mark.parametrize("method", ["gram", "full"])
def test_steps_are_compiled_for_any_width(method):
    for width in (4, 5):
        fit(*data(d=width), method=method)
    before = compiled_steps.experimental_get_tracing_count()
    for width in (2, 3, 6):
        fit(*data(d=width), method=method)
    assert compiled_steps.experimental_get_tracing_count() == before


def test_models_share_no_state():
    x, y = data()
    one, other = LinearRegression(), LinearRegression()
    one.fit(x, y, verbose=0)
    other.fit(x, -y, verbose=0)
    np.testing.assert_allclose(theta_of(one), -theta_of(other), rtol=1e-12)


SCRIPT = """
import tensorflow as tf
tf.config.threading.set_inter_op_parallelism_threads(1)
tf.config.threading.set_intra_op_parallelism_threads(1)
from recipes.linear_regression import LinearRegression
from tests.recipes.linear_regression.fitting import data
rows = tf.data.Dataset.from_tensor_slices(data()).batch(7)
rows = rows.map(lambda *row: row, num_parallel_calls=tf.data.AUTOTUNE).prefetch(2)
model = LinearRegression(method="full")
model.fit(rows, verbose=0)
print(model.certificate["converged"])
"""


def test_steps_read_a_dataset_though_tensorflow_has_one_thread():
    """The steps wait for the rows: the dataset must not wait for the steps."""
    found = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, timeout=120, text=True
    )
    assert found.stdout.strip() == "True", found.stderr
