"""`python -m recipes.linear_regression`: the recipe on the command line."""

from recipes.linear_regression import recipe
from recipes.pipeline import flags

if __name__ == "__main__":
    flags.run(
        recipe.Config,
        recipe.train_and_evaluate,
        recipe="linear_regression",
        doc="Linear regression by gradient descent, with a certified optimum.",
    )
