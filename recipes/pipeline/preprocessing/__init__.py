"""Preprocessing, learned from the training rows, and raw inputs in front of a model."""

from recipes.pipeline.preprocessing.learn import (
    build_serving_model,
    learn_preprocessing,
)

__all__ = ["build_serving_model", "learn_preprocessing"]
