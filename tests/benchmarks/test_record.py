"""The record of what was measured."""

import argparse
import json

import pytest

from benchmarks import record


@pytest.fixture
def two_sets(monkeypatch):
    sets = {"AVX-512": {"WIDE": "1"}, "AVX2": {}}
    monkeypatch.setattr(record, "environments", lambda: sets)


@pytest.mark.usefixtures("two_sets")
def test_parts_are_measured_under_each_instruction_set(tmp_path):
    asked = []

    def part(environment):
        asked.append(environment)
        return {"seconds": len(asked)}

    def text(found):
        return " ".join(found)

    record.measure(tmp_path, "name", {"a": part}, text)
    assert asked == [{"WIDE": "1"}, {}]
    found = record.measure(tmp_path, "name", {"b": part}, text, once=["b"])
    assert [*found["a"]] == ["AVX-512", "AVX2"] and [*found["b"]] == ["AVX-512"]
    assert found["a"]["AVX2"]["seconds"] == 2
    assert {"started", "machine", "versions"} <= found["b"]["AVX-512"].keys()
    assert json.loads((tmp_path / "name.json").read_text()) == found
    assert (tmp_path / "name.md").read_text() == "a b"
    assert record.instructions_of(found) == ["AVX-512", "AVX2"]


def test_a_trial_does_not_replace_the_results(capsys, tmp_path):
    options = record.parser("name", "Words.", ["a", "b"])
    with pytest.raises(SystemExit):
        record.parse(options, ["--rows=10"])
    assert "--out" in capsys.readouterr().err
    chosen = record.parse(options, ["--rows=10", f"--out={tmp_path}"])
    assert isinstance(chosen, argparse.Namespace) and chosen.parts == ["a", "b"]
