"""`python -m recipes.svm`: the recipe on the command line."""

from recipes.pipeline import flags
from recipes.svm import recipe

if __name__ == "__main__":
    flags.run(
        recipe.Config,
        recipe.train_and_evaluate,
        recipe="svm",
        doc="Support vector machines by sequential minimal optimisation, with a "
        "certified optimum: classification and regression.",
    )
