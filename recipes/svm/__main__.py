"""`python -m recipes.svm`: the recipe on the command line."""

from recipes.pipeline.cli import program


def main() -> None:
    """Run the recipe as the flags say."""
    # Imported here, where a signal is heeded.
    from recipes import svm
    from recipes.pipeline.cli import flags

    flags.run(
        svm.Config,
        lambda config: svm.train_and_evaluate(config),
        recipe="svm",
        doc="Support vector machines by sequential minimal optimisation, with a "
        "certified optimum: classification and regression.",
    )


if __name__ == "__main__":
    program.run(main)
