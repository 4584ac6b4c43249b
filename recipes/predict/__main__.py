"""`python -m recipes.predict`: the command line."""

from recipes.pipeline.cli import program


def main() -> None:
    """Predict as the flags say."""
    # Imported here, where a signal is heeded.
    from recipes import predict
    from recipes.pipeline.cli import flags

    flags.run(
        predict.Config,
        lambda config: predict.predict(config),
        recipe="predict",
        doc="Predict the rows of a file with the model that a run has exported.",
    )


if __name__ == "__main__":
    program.run(main)
