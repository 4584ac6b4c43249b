"""What mypy and an editor know of the public names."""

import inspect
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import keras

import layers
import recipes.linear_regression
import recipes.neural_network
import recipes.svm
from tests.commands import ROOT, run_fresh

# A line that mypy should refuse ends in what its message holds.
CONSUMER = """
from layers import KernelExpansion, Linear
from recipes import linear_regression, neural_network, svm
from recipes.linear_regression import LinearRegression
from recipes.neural_network import MultilayerPerceptronClassifier
from recipes.svm import (
    NuSupportVectorRegressor,
    OneClassSupportVectorMachine,
    SupportVectorClassifier,
)

SupportVectorClassifier("linear", C=2.0, gamma="auto", name="m", dtype="float64")
SupportVectorClassifier(C="ten")  # "C" to "SupportVectorClassifier" has incompatible
SupportVectorClassifier(gama=1)  # did you mean "gamma"?
SupportVectorClassifier(gamma="big")  # Argument "gamma"
SupportVectorClassifier(multiclass="ovo")  # Argument "multiclass"
NuSupportVectorRegressor(nu=0.5, epsilon=0.1)  # Unexpected keyword argument "epsilon"
OneClassSupportVectorMachine(nu=0.1).fit([[0.0]])
LinearRegression(learning_rate="auto", l2=1e-3, momentum="none")
LinearRegression(momentum="some")  # Argument "momentum"
MultilayerPerceptronClassifier((64,), momentum=0.9, classes=["a", "b"])
MultilayerPerceptronClassifier(hidden_sizes="many")  # Argument "hidden_sizes"
Linear(3, unitz=3)  # Unexpected keyword argument "unitz"
KernelExpansion("3")  # Argument 1
svm.Nothing  # has no attribute "Nothing"
run = svm.train_and_evaluate(svm.Config(C=0.5, dataset="iris"))
run.metrics["test"]
run.metric  # has no attribute "metric"
linear_regression.Config(C=1.0)  # Unexpected keyword argument "C"
neural_network.find_learning_rate(rates=3)  # Unexpected keyword argument "rates"
"""


def test_a_consumer_s_mistakes_are_errors(tmp_path: Path):
    consumer = tmp_path / "consumer.py"
    consumer.write_text(CONSUMER)
    # As in another project: strict, and silent about what is imported.
    options = ("--strict", "--follow-imports=silent", "--no-error-summary")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--no-pretty", *options, str(consumer)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    found: dict[int, str] = {}
    for line in done.stdout.splitlines():
        assert "consumer.py" in line, done.stdout + done.stderr
        number, kind, message = re.match(
            r"[^:]*:(\d+): (error|note): (.*)", line
        ).groups()
        if kind == "error":
            found[int(number)] = found.get(int(number), "") + message
    expected = {
        number: line.split("  # ")[1]
        for number, line in enumerate(CONSUMER.splitlines(), 1)
        if "  # " in line
    }
    assert found.keys() == expected.keys(), done.stdout
    for number, words in expected.items():
        assert words in found[number]


PACKAGES = (recipes.linear_regression, recipes.neural_network, recipes.svm, layers)


def test_names_are_listed_and_documented():
    for package in PACKAGES:
        assert {"__doc__", *package.__all__} <= {*dir(package), "__doc__"}
        for name in package.__all__:
            value = getattr(package, name)
            assert inspect.getdoc(value), name


def test_every_argument_of_a_public_class_is_in_its_own_docstring():
    classes = [
        value
        for package in PACKAGES
        for value in (getattr(package, name) for name in package.__all__)
        if inspect.isclass(value)
    ]
    assert len(classes) > 20
    for cls in classes:
        parameters = inspect.signature(cls).parameters.values()
        kinds = {parameter.kind for parameter in parameters}
        assert inspect.Parameter.VAR_KEYWORD not in kinds, cls
        if issubclass(cls, keras.layers.Layer):  # models are layers, too
            text = inspect.getdoc(cls)
            assert not [
                p.name for p in parameters if not re.search(rf"\b{p.name}: ", text)
            ], cls


def test_the_import_is_free_of_tensorflow_until_a_name_is_used(tmp_path: Path):
    code = """
        import sys
        from recipes import linear_regression, neural_network, pipeline, svm
        assert "SupportVectorClassifier" in dir(svm) and "run" in dir(pipeline)
        svm.Config, linear_regression.Config, neural_network.Config
        assert not {"tensorflow", "keras", "numpy"} & set(sys.modules)
        svm.SupportVectorClassifier
        assert "tensorflow" in sys.modules
    """
    ended = run_fresh(tmp_path, "-c", textwrap.dedent(code))
    assert ended.code == 0, ended.err


def test_a_config_follows_the_model_s_attributes():
    """As does whatever is trained, saved or copied from it."""
    for model, name in (
        (recipes.linear_regression.LinearRegression(), "l2"),
        (recipes.svm.SupportVectorClassifier(), "C"),
        (recipes.neural_network.MultilayerPerceptronRegressor(), "l2"),
    ):
        setattr(model, name, 0.25)
        assert model.get_config()[name] == 0.25
        assert getattr(type(model).from_config(model.get_config()), name) == 0.25
