"""The support vector machines as Keras models."""
