"""Preprocessing learned from the training rows, and models that take raw inputs."""

from recipes.pipeline.preprocessing.learn import (
    build_serving_model,
    learn_preprocessing,
)

__all__ = ["build_serving_model", "learn_preprocessing"]
