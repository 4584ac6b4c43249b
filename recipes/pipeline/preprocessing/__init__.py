"""Preprocessing, learned from the training rows, and raw inputs in front of a model."""

from recipes.pipeline.preprocessing.learn import learn_preprocessing, serving_model

__all__ = ["learn_preprocessing", "serving_model"]
