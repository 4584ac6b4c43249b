"""`python -m recipes.neural_network`: the recipe on the command line."""

from recipes.neural_network import recipe
from recipes.pipeline import flags

if __name__ == "__main__":
    flags.run(
        recipe.Config,
        recipe.train_and_evaluate,
        recipe="neural_network",
        doc="Neural networks by stochastic gradient descent, with the remedies "
        "against overfitting: classification and regression.",
    )
