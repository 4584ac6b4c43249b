"""`python -m recipes.neural_network`: the recipe on the command line."""

from recipes import neural_network
from recipes.pipeline.cli import flags

if __name__ == "__main__":
    flags.run(
        neural_network.Config,
        lambda config: neural_network.train_and_evaluate(config),
        recipe="neural_network",
        doc="Neural networks by stochastic gradient descent, with the remedies "
        "against overfitting: classification and regression.",
    )
