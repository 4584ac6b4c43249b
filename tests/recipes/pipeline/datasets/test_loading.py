"""Flags of the data stage: names of data sets, targets, fractions and seeds."""

from tests.recipes.pipeline.datasets.loading import loaded, refused


def test_unknown_name_suggests_the_nearest_and_lists_all():
    message = refused("diabetis")
    assert message.startswith("--dataset: no data set 'diabetis' (did you mean")
    assert "breast_cancer digits iris wine" in message
    assert refused("iris", test_dataset="wein").startswith("--test_dataset")


def test_another_target_of_array_data():
    data = loaded("iris", target="petal width")
    assert data.description.task == "regression"
    assert data.description.target.unit == "cm"
    assert data.train.features.shape[1] == 3
    assert any("left out 'species'" in note for note in data.description.notes)
    message = refused("iris", target="petal widht")
    assert "did you mean 'petal width'?" in message
