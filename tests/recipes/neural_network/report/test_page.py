"""The report of a neural network, section by section."""

import dataclasses
import re
from types import SimpleNamespace

import numpy as np
import pytest

from recipes.neural_network import Config
from recipes.neural_network.report.certificate import (
    build_certificate_section,
    build_key_numbers,
    state_verdict,
)
from recipes.neural_network.report.layer_norms import build_norms_section
from recipes.neural_network.report.learning_curves import (
    build_learning_curves_section,
    extract_curves,
)
from recipes.neural_network.report.range_test import build_range_test_section
from recipes.neural_network.training.attempt import Failure
from recipes.neural_network.training.learning_rate import RangeTest
from recipes.pipeline import report

CERTIFICATE = {
    "converged": True,
    "stop_reason": "early_stopping",
    "epochs": 6,
    "best_epoch": 3,
    "final_train_loss": 0.2,
    "relative_train_loss": 0.1,
    "learned": True,
    "gradient_check_max_relative_error": 3e-9,
    "gradient_check_weights": 32,
    "gradient_check_kinks": 0,
}
OVERFITTED = {
    "train_loss": [1.0, 0.5, 0.3, 0.2, 0.1, 0.05],
    "val_loss": [1.1, 0.6, 0.4, 0.41, 0.45, 0.5],
    "train_accuracy": [0.6, 0.8, 0.9, 0.95, 1.0, 1.0],
    "val_accuracy": [0.5, 0.7, 0.85, 0.85, 0.84, 0.83],
}


def visible_text(block):
    """Return what a reader sees of a block, with ordinary spaces and minus signs."""
    html = report.render(report.Page("", "", (), (report.Section("", (block,)),)))
    plain = re.sub("<[^>]*>", "", html.partition("<section")[2])
    return plain.replace("\N{NO-BREAK SPACE}", " ").replace("\N{MINUS SIGN}", "-")


def learning_curves(
    history, certificate=CERTIFICATE, best_kept=True, images=False, **flags
):
    config = Config(**{"dropout": 0.0, **flags})
    section = build_learning_curves_section(
        history, certificate, best_kept, config, images
    )
    return section.body[0], section.body[1].blocks


# Learning curves.


def test_overfitting_is_reported_with_numbers_and_remedies():
    notice, _ = learning_curves(OVERFITTED)
    assert notice.title == "It overfits after epoch 3."
    words = visible_text(notice)
    assert "from 0.300 to 0.0500" in words  # the training loss
    assert "from 0.400 to 0.500" in words  # the validation loss
    assert re.findall(r"epoch (\d)", words)[-2:] == ["6", "3"]
    assert "--dropout=0.2 or --l2=1e-4" in words
    assert notice.tone == ""


def test_kept_weights_that_overfit_raise_an_alarm():
    notice, _ = learning_curves(OVERFITTED, best_kept=False, patience=0)
    assert notice.tone == "bad"
    assert "those of the last epoch; --patience=20" in visible_text(notice)


@pytest.mark.parametrize(
    ("images", "flags", "remedies"),
    [
        (True, {}, ["--shift=1", "--dropout=0.2"]),
        (True, {"shift": 2, "dropout": 0.5}, ["--l2=1e-4", "--mixup=0.2"]),
        (False, {"weight_decay": 0.1, "dropout": 0.5}, ["--mixup=0.2"]),
        (False, {"l2": 1, "dropout": 0.5, "mixup": 1}, []),
    ],
)
def test_remedies_are_those_not_yet_in_use(images, flags, remedies):
    notice, _ = learning_curves(OVERFITTED, images=images, **flags)
    suggested = re.findall(r"--\w+=[^ ;]+", visible_text(notice))
    assert suggested == remedies
    assert "--hidden_sizes" in visible_text(notice)


def test_more_epochs_are_suggested_while_the_loss_still_falls():
    history = OVERFITTED | {"val_loss": [1.1, 0.6, 0.4, 0.35, 0.3, 0.29]}
    certificate = CERTIFICATE | {"best_epoch": 6, "stop_reason": "epochs"}
    notice, _ = learning_curves(history, certificate, epochs=6)
    assert notice.title == "It does not overfit, and was still learning."
    assert "--epochs=12" in visible_text(notice)
    stopped, _ = learning_curves(history, CERTIFICATE | {"best_epoch": 6})
    assert "still learning" not in stopped.title


@pytest.mark.parametrize(
    ("validation", "title", "tone"),
    [
        ([1.1, 0.6, 0.32, 0.325, 0.33, 0.33], "It does not overfit.", "good"),
        ([1.1, 0.9, 0.8, 0.81, 0.81, 0.82], "It overfits mildly.", ""),
    ],
)
def test_a_gap_between_the_losses_is_mild_overfitting(validation, title, tone):
    notice, _ = learning_curves(OVERFITTED | {"val_loss": validation})
    assert (notice.title, notice.tone) == (title, tone)


def test_no_claim_about_overfitting_without_validation_rows():
    history = {name: OVERFITTED[name] for name in ("train_loss", "train_accuracy")}
    notice, figures = learning_curves(
        history, CERTIFICATE | {"best_epoch": 6}, best_kept=False
    )
    assert notice.title == "Not monitored for overfitting."
    assert "--validation_fraction=0.1" in notice.text
    assert ">validation<" not in figures[0].svg


def test_curves_show_both_parts_and_the_epoch_kept():
    _, (loss, accuracy) = learning_curves(OVERFITTED)
    for figure in (loss, accuracy):
        for name in ("train", "validation", "weights kept"):
            assert f">{name}<" in figure.svg
    assert "cross-entropy" in loss.caption
    assert re.findall(r"\d+ %", visible_text(accuracy)) == ["90 %", "85 %"]
    curves = extract_curves(OVERFITTED, CERTIFICATE, best_kept=False)
    assert (curves.kept, curves.best) == (5, 2)


def test_regression_has_no_accuracy_curve():
    history = {name: OVERFITTED[name] for name in ("train_loss", "val_loss")}
    _, figures = learning_curves(history)
    assert len(figures) == 1
    assert "mean squared error" in figures[0].caption


@pytest.mark.parametrize("epochs", [1, 2, 3000])
@pytest.mark.parametrize("loss", [0.0, 1e-12, 5.0])
def test_curves_of_extreme_lengths_and_losses(epochs, loss):
    history = {"train_loss": [loss] * epochs, "val_loss": [2 * loss] * epochs}
    _, (figure,) = learning_curves(
        history, CERTIFICATE | {"epochs": epochs, "best_epoch": 1}
    )
    assert "nan" not in figure.svg and len(figure.svg) < 90_000


# The certificate.


def test_certificate_lists_every_number_and_claims_no_optimum():
    proof, caveat, table = build_certificate_section(CERTIFICATE, 3).body
    assert (proof.title, proof.tone) == ("The gradient is correct.", "good")
    assert "to 1 part in 10⁸" in visible_text(proof)
    assert "epoch 3." in visible_text(proof)
    assert caveat.title == "No proof of an optimum."
    assert [row[0].text for row in table.cells] == [
        key.replace("_", " ").capitalize()
        for key in (
            *[k for k in CERTIFICATE if "gradient" in k],
            "final_train_loss",
            "relative_train_loss",
            "epochs",
            "best_epoch",
            "converged",
            "learned",
            "stop_reason",
        )
    ]
    assert all(row[0].note for row in table.cells)
    assert not any(row[1].tone for row in table.cells)
    verdict = state_verdict(CERTIFICATE)
    assert verdict.endswith("correct to 1 part in\N{NO-BREAK SPACE}10⁸")


@pytest.mark.parametrize("error", [0.02, float("nan"), None])
def test_a_wrong_gradient_raises_an_alarm(error):
    certificate = CERTIFICATE | {"gradient_check_max_relative_error": error}
    proof, _, table = build_certificate_section(certificate, 3).body
    assert (proof.title, proof.tone) == ("The gradient is in doubt.", "bad")
    assert table.cells[0][1].tone == "bad"
    _, card = build_key_numbers(certificate, 3)
    assert (card.value, card.tone) == ("In doubt", "bad")
    assert "in doubt" in state_verdict(certificate)


@pytest.mark.parametrize("relative", [1.0, 3e16, float("inf"), float("nan"), None])
def test_a_network_that_learned_nothing_raises_an_alarm(relative):
    certificate = CERTIFICATE | {
        "relative_train_loss": relative,
        "converged": False,
        "learned": False,
    }
    notice, _ = learning_curves(OVERFITTED, certificate)
    assert (notice.title, notice.tone) == ("It has learned nothing.", "bad")
    _, _, table = build_certificate_section(certificate, 3).body
    alarming = [row[0].text for row in table.cells if row[1].tone]
    assert alarming == ["Learned"]
    assert "learned nothing" in state_verdict(certificate)


def test_a_network_worse_than_a_constant_on_validation_rows_raises_an_alarm():
    certificate = CERTIFICATE | {"converged": False, "learned": False}
    notice, _ = learning_curves(OVERFITTED, certificate)
    assert notice.title == "It has learned nothing."
    assert notice.text.startswith("On the validation rows its error is above")
    assert "learned nothing" in state_verdict(certificate)


def test_key_numbers_mention_early_stopping():
    epoch, gradient = build_key_numbers(CERTIFICATE, 3)
    assert (epoch.value, epoch.note) == ("3", "of 6, stopped early")
    assert (gradient.value, gradient.tone) == ("Correct", "good")


# The range test.


@pytest.mark.parametrize("last", [3.0, np.inf, np.nan])
def test_range_test_shows_the_chosen_rate(last):
    losses = np.array([1.0, 0.99, 0.9, 0.5, 0.6, last])
    test = SimpleNamespace(
        rates=np.geomspace(1e-5, 1, 6), losses=losses, chosen=0.01234
    )
    summary, figure = build_range_test_section(test).body
    assert "--learning_rate=0.0123" in summary.text
    assert ">chosen: 0.0123<" in figure.svg
    assert "nan" not in figure.svg.lower()


def test_range_test_shows_the_rate_of_another_attempt():
    test = RangeTest(np.geomspace(1e-5, 1, 3), np.array([1.0, 0.5, 0.9]), 0.01)
    failure = Failure(0.1, "learned nothing")
    summary, notice, figure = build_range_test_section(test, [failure]).body
    assert "auto chose 0.100. The network kept was trained at 0.0100." in summary.text
    assert "--learning_rate=0.01 repeats" in summary.text
    assert notice.text == "It was started again at a tenth of that rate."
    assert ">chosen: 0.100<" in figure.svg
    test = dataclasses.replace(test, chosen=0.1)
    failure = Failure(0.01, "learned nothing")
    summary, notice, figure = build_range_test_section(test, [failure]).body
    assert "auto chose 0.100. --learning_rate=0.1 repeats" in summary.text
    assert notice.text == "The network of the larger rate was kept."


# Weights and gradients.


def test_norms_of_each_layer():
    layers = ["1. dense (64 × 8)", "2. dense_1 (8 × 10)"]
    weights = np.array([[4.0, 1.0], [5.0, 3.0]])
    (grid,) = build_norms_section(
        layers, weights, np.array([[1.0, 0.1], [0.1, 0.0]])
    ).body
    figure = grid.blocks[0]
    assert "2. dense_1 (8 × 10)" in figure.alt and "factor, 3" in figure.alt
    assert all(f">{name}<" in figure.svg for name in layers)
    assert "omitted" not in figure.caption


def test_norms_of_many_layers_are_those_of_the_outer_ones():
    layers = [f"{i}. dense" for i in range(1, 10)]
    (grid,) = build_norms_section(layers, np.ones((3, 9)), np.ones((3, 9))).body
    assert re.findall(r">(\d)\. dense<", grid.blocks[0].svg) == list("123789")
    assert "3 layers in the middle are omitted" in grid.blocks[0].caption
