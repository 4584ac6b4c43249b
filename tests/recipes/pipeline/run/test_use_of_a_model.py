"""A run says whether its model is of any use, before it says anything else."""

import numpy as np
import pytest

from recipes.linear_regression.config import Config
from recipes.linear_regression.recipe import train_and_evaluate


@pytest.mark.parametrize("is_useful", [True, False])
def test_a_model_without_use_says_so_first(tmp_path, capsys, is_useful):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 2))
    y = x[:, 0] + rng.normal(size=200) if is_useful else rng.normal(size=200)
    rows = np.column_stack([x, y])
    np.savetxt(tmp_path / "a.csv", rows, delimiter=",", header="a,b,y", comments="")
    out = tmp_path / "run"
    config = Config(dataset=str(tmp_path / "a.csv"), out_dir=str(out), export=False)
    run = train_and_evaluate(config)
    assert ("warning" not in run.metrics) is is_useful
    printed = capsys.readouterr().out
    assert "columns: 2 numeric\n" in printed
    last = printed.splitlines()[-1]
    start = "report: " if is_useful else "warning: no better than always predicting"
    assert last.startswith(start)
    page = (out / "report.html").read_text()
    assert "Columns read: 2 numeric." in page
    warning = page.find("No better than always predicting the training mean.")
    assert (warning == -1) if is_useful else (warning < page.index("optimum"))
