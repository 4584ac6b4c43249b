"""What a model is made of: Keras layers, each usable in anybody's model.

Importing this package needs TensorFlow and Keras only.
"""

from layers.linear import Linear

__all__ = ["Linear"]
