"""The report of a neural network, section by section."""

import re
from types import SimpleNamespace

import numpy as np
import pytest

from recipes.neural_network import Config
from recipes.neural_network.report import certificate, range_test
from recipes.neural_network.report.layer_norms import norms
from recipes.neural_network.report.learning_curves import curves, learning_curves
from recipes.pipeline import report

FIT = {
    "converged": True,
    "stop_reason": "early_stopping",
    "epochs": 6,
    "best_epoch": 3,
    "final_train_loss": 0.2,
    "relative_train_loss": 0.1,
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


def text(block):
    """What a reader sees of a block, with ordinary spaces and minus signs."""
    html = report.render(report.Page("", "", (), (report.Section("", (block,)),)))
    plain = re.sub("<[^>]*>", "", html.partition("<section")[2])
    return plain.replace("\N{NO-BREAK SPACE}", " ").replace("\N{MINUS SIGN}", "-")


def told(history, fit=FIT, best_kept=True, images=False, **flags):
    config = Config(**{"dropout": 0.0, **flags})
    section = learning_curves(history, fit, best_kept, config, images)
    return section.body[0], section.body[1].blocks


# Learning curves.


def test_overfitting_is_told_with_the_numbers_and_what_to_try():
    notice, _ = told(OVERFITTED)
    assert notice.title == "It overfits after epoch 3."
    words = text(notice)
    assert (
        "From there to epoch 6 the loss on training rows falls from 0.300 to" in words
    )
    assert "rises from 0.400 to 0.500" in words
    assert "The weights kept are those of epoch 3" in words
    assert "Try --dropout=0.2 or --l2=1e-4" in words
    assert notice.tone == ""


def test_overfitted_weights_are_loud():
    notice, _ = told(OVERFITTED, best_kept=False, patience=0)
    assert notice.tone == "bad"
    assert "The weights are those of the last epoch; --patience=20" in text(notice)


@pytest.mark.parametrize(
    ("images", "flags", "words"),
    [
        (True, {}, "Try --shift=1 or --dropout=0.2"),
        (True, {"shift": 2, "dropout": 0.5}, "Try --l2=1e-4 or --mixup=0.2"),
        (False, {"weight_decay": 0.1, "dropout": 0.5}, "Try --mixup=0.2; else"),
        (False, {"l2": 1, "dropout": 0.5, "mixup": 1}, "Try more training rows or"),
    ],
)
def test_remedies_are_those_not_yet_taken(images, flags, words):
    notice, _ = told(OVERFITTED, images=images, **flags)
    assert words in text(notice)


def test_what_is_still_learning_wants_more_epochs():
    history = OVERFITTED | {"val_loss": [1.1, 0.6, 0.4, 0.35, 0.3, 0.29]}
    fit = FIT | {"best_epoch": 6, "stop_reason": "epochs"}
    notice, _ = told(history, fit, epochs=6)
    assert notice.title == "It does not overfit, and was still learning."
    assert "--epochs=12" in text(notice)
    stopped, _ = told(history, FIT | {"best_epoch": 6})
    assert "still learning" not in stopped.title


@pytest.mark.parametrize(
    ("validation", "title", "tone"),
    [
        ([1.1, 0.6, 0.32, 0.325, 0.33, 0.33], "It does not overfit.", "good"),
        ([1.1, 0.9, 0.8, 0.81, 0.81, 0.82], "It overfits mildly.", ""),
    ],
)
def test_a_gap_between_the_losses_is_mild_overfitting(validation, title, tone):
    notice, _ = told(OVERFITTED | {"val_loss": validation})
    assert (notice.title, notice.tone) == (title, tone)


def test_nothing_is_claimed_without_validation_rows():
    history = {name: OVERFITTED[name] for name in ("train_loss", "train_accuracy")}
    notice, figures = told(history, FIT | {"best_epoch": 6}, best_kept=False)
    assert notice.title == "Not watched for overfitting."
    assert "--validation_fraction=0.1" in notice.text
    assert ">validation<" not in figures[0].svg


def test_curves_show_both_parts_and_the_epoch_kept():
    _, (loss, accuracy) = told(OVERFITTED)
    for figure in (loss, accuracy):
        for name in ("train", "validation", "weights kept"):
            assert f">{name}<" in figure.svg
    assert "cross-entropy" in loss.caption
    assert "90 % of the training rows and 85 % of the" in text(accuracy)
    assert "least at epoch" not in loss.caption
    seen = curves(OVERFITTED, FIT, best_kept=False)
    assert (seen.kept, seen.best) == (5, 2)


def test_regression_has_no_accuracy():
    history = {name: OVERFITTED[name] for name in ("train_loss", "val_loss")}
    _, figures = told(history)
    assert len(figures) == 1
    assert "mean squared error" in figures[0].caption


@pytest.mark.parametrize("epochs", [1, 2, 3000])
@pytest.mark.parametrize("loss", [0.0, 1e-12, 5.0])
def test_curves_cope_with(epochs, loss):
    history = {"train_loss": [loss] * epochs, "val_loss": [2 * loss] * epochs}
    _, (figure,) = told(history, FIT | {"epochs": epochs, "best_epoch": 1})
    assert "nan" not in figure.svg and len(figure.svg) < 90_000


# The certificate.


def test_certificate_says_every_number_and_claims_no_optimum():
    proof, honest, table = certificate.certificate(FIT, 3).body
    assert (proof.title, proof.tone) == ("The gradient is right.", "good")
    assert "to 1 part in 10⁸" in text(proof)
    assert "the weights kept are those of epoch 3" in text(proof)
    assert honest.title == "No proof of an optimum."
    assert [row[0].text for row in table.cells] == [
        key.replace("_", " ").capitalize()
        for key in (
            *[k for k in FIT if "gradient" in k],
            "final_train_loss",
            "relative_train_loss",
            "epochs",
            "best_epoch",
            "converged",
            "stop_reason",
        )
    ]
    assert all(row[0].note for row in table.cells)
    assert not any(row[1].tone for row in table.cells)
    assert certificate.verdict(FIT).endswith(
        "is right to 1 part in\N{NO-BREAK SPACE}10⁸"
    )


@pytest.mark.parametrize("error", [0.02, float("nan"), None])
def test_a_wrong_gradient_is_loud(error):
    fit = FIT | {"gradient_check_max_relative_error": error}
    proof, _, table = certificate.certificate(fit, 3).body
    assert (proof.title, proof.tone) == ("The gradient is in doubt.", "bad")
    assert table.cells[0][1].tone == "bad"
    _, card = certificate.highlights(fit, 3)
    assert (card.value, card.tone) == ("In doubt", "bad")
    assert "in doubt" in certificate.verdict(fit)


@pytest.mark.parametrize("relative", [1.0, 3e16, float("inf"), float("nan"), None])
def test_to_have_learned_nothing_is_loud(relative):
    fit = FIT | {"relative_train_loss": relative, "converged": False}
    notice, _ = told(OVERFITTED, fit)
    assert (notice.title, notice.tone) == ("It has learned nothing.", "bad")
    _, _, table = certificate.certificate(fit, 3).body
    alarming = [row[0].text for row in table.cells if row[1].tone]
    assert alarming == ["Relative train loss"]
    assert "learned nothing" in certificate.verdict(fit)


def test_key_numbers_tell_of_early_stopping():
    epoch, gradient = certificate.highlights(FIT, 3)
    assert (epoch.value, epoch.note) == ("3", "of 6, stopped early")
    assert (gradient.value, gradient.tone) == ("Right", "good")


# The range test.


@pytest.mark.parametrize("last", [3.0, np.inf, np.nan])
def test_range_test_is_shown_with_the_rate_chosen(last):
    losses = np.array([1.0, 0.99, 0.9, 0.5, 0.6, last])
    found = SimpleNamespace(
        rates=np.geomspace(1e-5, 1, 6), losses=losses, chosen=0.01234
    )
    words, figure = range_test.range_test(found).body
    assert "--learning_rate=0.0123" in words.text
    assert ">chosen: 0.0123<" in figure.svg
    assert "nan" not in figure.svg.lower()


# Weights and gradients.


def test_norms_of_each_layer():
    layers = ["1. dense (64 × 8)", "2. dense_1 (8 × 10)"]
    weights = np.array([[4.0, 1.0], [5.0, 3.0]])
    (grid,) = norms(layers, weights, np.array([[1.0, 0.1], [0.1, 0.0]])).body
    shown = grid.blocks[0]
    assert "weights of 2. dense_1 (8 × 10) grow most, by a factor of 3" in shown.alt
    assert all(f">{name}<" in shown.svg for name in layers)
    assert "left out" not in shown.caption


def test_norms_of_many_layers_are_those_of_the_outer_ones():
    layers = [f"{i}. dense" for i in range(1, 10)]
    (grid,) = norms(layers, np.ones((3, 9)), np.ones((3, 9))).body
    assert re.findall(r">(\d)\. dense<", grid.blocks[0].svg) == list("123789")
    assert "The 3 layers in the middle are left out." in grid.blocks[0].caption
