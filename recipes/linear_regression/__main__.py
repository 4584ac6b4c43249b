"""`python -m recipes.linear_regression`: the recipe on the command line."""

from recipes.pipeline.cli import program


def main() -> None:
    """Run the recipe as the flags say."""
    # Imported here, where a signal is heeded.
    from recipes import linear_regression
    from recipes.pipeline.cli import flags

    flags.run(
        linear_regression.Config,
        lambda config: linear_regression.train_and_evaluate(config),
        recipe="linear_regression",
        doc="Linear regression by gradient descent, with a certified optimum.",
    )


if __name__ == "__main__":
    program.run(main)
