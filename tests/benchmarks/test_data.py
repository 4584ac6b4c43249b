"""Where benchmarks find real data sets."""

import pytest

from benchmarks.data import folder


def test_folder_is_that_of_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("RECIPES_DATA", str(tmp_path))
    assert folder() == tmp_path


@pytest.mark.parametrize("path", [None, "", "missing"])
def test_without_data_one_line_names_the_variable(path, monkeypatch, capsys):
    if path is None:
        monkeypatch.delenv("RECIPES_DATA", raising=False)
    else:
        monkeypatch.setenv("RECIPES_DATA", path)
    with pytest.raises(SystemExit) as ending:
        folder()
    assert ending.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("RECIPES_DATA should be set to the folder")
