"""Separate test sets, aligned with the columns of the training set."""

import numpy as np

from tests.recipes.pipeline.datasets import loading
from tests.recipes.pipeline.datasets.loading import ROWS, loaded, write_table


def refused(path, task="regression", **flags):
    return loading.refused(path, task, **flags)


def test_a_class_that_no_training_row_has_is_refused(tmp_path):
    train = write_table(
        tmp_path, "a,y\n" + "".join(f"{i}.5,{'uv'[i % 2]}\n" for i in range(9))
    )
    test = write_table(tmp_path, "a,y\n1,u\n2,w\n", "test.csv")
    message = refused(train, "auto", test_dataset=str(test))
    assert "class 'w', which no training row has" in message


def test_a_level_that_no_training_row_has_is_blank(tmp_path):
    train = write_table(
        tmp_path, "c,y\n" + "".join(f"{'ab'[i % 2]},{i}.5\n" for i in range(9))
    )
    test = write_table(tmp_path, "c,y\na,1.5\nz,2.5\nb,3.5\n", "test.csv")
    data = loaded(train, test_dataset=str(test))
    assert data.description.columns[0].levels == ("a", "b")
    np.testing.assert_array_equal(data.test.features[:, 0], [0, np.nan, 1])
    assert any("in 1 test row 'c'" in note for note in data.description.notes)


def test_a_test_set_in_another_order(tmp_path):
    train = write_table(
        tmp_path, "a,c,y\n" + "".join(f"{i}.25,{'uv'[i % 2]},{i}.5\n" for i in range(9))
    )
    test = write_table(tmp_path, "y,c,a\n7.5,v,3\n8.5,u,4\n", "test.csv")
    data = loaded(train, test_dataset=str(test))
    np.testing.assert_array_equal(data.test.features, [[3, 1], [4, 0]])
    np.testing.assert_array_equal(data.test.target, [7.5, 8.5])
    assert len(data.train.target) == 9


def test_a_test_set_with_other_columns(tmp_path):
    train = write_table(tmp_path, "a,b,price\n" + ROWS)
    test = write_table(tmp_path, "a,c,price\n1,2,3\n", "test.csv")
    message = refused(train, test_dataset=str(test))
    assert message.startswith(f"--test_dataset: {test} ")
    assert "lacks 'b'" in message and "has 'c'" in message
    test = write_table(tmp_path, "a,b,cost\n1,2,3\n", "test.csv")
    assert "no column 'price'" in refused(train, test_dataset=str(test))
    assert "lacks 'a'" in refused(train, test_dataset="iris")
