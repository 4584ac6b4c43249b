"""XLA compiles once for a shape: counted in what it writes down of each compilation.

Traces do not tell: some graphs are compiled again at every call.
"""

import collections
import os
import re
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from sklearn.datasets import make_moons

from recipes.svm import SupportVectorClassifier
from tests.commands import ROOT

PROGRAM = """
import pytest

from tests.recipes.svm.solver.solving import (
    RBF, build_problem, count_iterations, force_decomposition, make_rows,
    new_scheduler, run
)

force_decomposition(pytest.MonkeyPatch())
rows = make_rows(150)
problems = [build_problem("epsilon_svr", rows, cost=cost) for cost in (1.0, 3.0)]
scheduler = new_scheduler(RBF, rows.x, problems)
solutions = run(scheduler)
assert [each.stop_reason for each in solutions] == ["tolerance"] * 2
print(count_iterations(solutions))
"""


def test_nothing_compiles_again(tmp_path):
    flags = f"--xla_dump_to={tmp_path} --xla_dump_hlo_as_text"
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "XLA_FLAGS": flags},
    )
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) > 10
    names = [
        re.fullmatch(r"module_\d+\.a_inference_(\w+)_\d+__.*", path.name)[1]
        for path in tmp_path.glob("module_*.before_optimizations.txt")
    ]
    compiled = collections.Counter(names)
    assert compiled["solve_block"] == 1
    assert compiled["sum_rows"] == 1
    assert compiled["of_products"] == 2  # the rows, and the working set's block


@pytest.mark.parametrize("n", [60, 61])
def test_small_models_build_no_graph(n, monkeypatch):
    graphs = []
    build = tf.__internal__.FuncGraph.__init__

    def count(*arguments, **options):
        graphs.append(arguments)
        build(*arguments, **options)

    monkeypatch.setattr(tf.__internal__.FuncGraph, "__init__", count)
    x, y = make_moons(n, noise=0.2, random_state=0)
    model = SupportVectorClassifier()
    model.fit(x, y, verbose=0)
    assert (model.predict_classes(x, verbose=0) == y).mean() > 0.8
    assert graphs == []
    # A second batch is worth a graph, and computes the same.
    first, second = (model.predict(x, verbose=0) for _ in range(2))
    assert graphs
    np.testing.assert_array_equal(first, second)
