"""`python -m recipes.svm`: the recipe on the command line."""

from recipes import svm
from recipes.pipeline.cli import flags

if __name__ == "__main__":
    flags.run(
        svm.Config,
        lambda config: svm.train_and_evaluate(config),
        recipe="svm",
        doc="Support vector machines by sequential minimal optimisation, with a "
        "certified optimum: classification and regression.",
    )
