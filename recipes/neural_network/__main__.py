"""`python -m recipes.neural_network`: the recipe on the command line."""

from recipes.pipeline.cli import program


def main() -> None:
    """Run the recipe as the flags say."""
    # Imported here, where a signal is heeded.
    from recipes import neural_network
    from recipes.pipeline.cli import flags

    flags.run(
        neural_network.Config,
        lambda config: neural_network.train_and_evaluate(config),
        recipe="neural_network",
        doc="Neural networks by stochastic gradient descent, with the remedies "
        "against overfitting: classification and regression.",
    )


if __name__ == "__main__":
    program.run(main)
