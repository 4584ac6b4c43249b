"""The benchmark's report of its measurements."""

import copy
from typing import Any

import pytest

from benchmarks.measure import in_turn_within
from benchmarks.svm.report import geometric_mean, plot, ratio, text


def ours(*seconds: float) -> list[dict[str, Any]]:
    return [
        {"seconds": s, "certificate": 1.0, "rebuilds": 0, "iterations": 9,
         "compiled": 5, "compile": 0.5}
        for s in seconds
    ]  # fmt: skip


def found(fits: list[dict[str, Any]], objective: float) -> dict[str, Any]:
    return {
        "fits": fits,
        "kkt_gap": 9e-4,
        "dual_objective": objective,
        "score": 0.85,
        "support_vectors": 11_605,
        "predictions": {"": [0.3, 0.25, 0.2]},
    }


RUN = {"started": "2020-01-02 03:04 UTC", "machine": "a machine", "versions": "numpy 2"}
PART = {
    **RUN,
    "rows": 32_561,
    "features": 123,
    "test_rows": 16_281,
    "programs": {
        "ours": {**found(ours(9.0, 4.0, 5.0, 3.0), 100.0),
                 "predictions": {"32": [3.0, 0.5], "4096": [0.2, 0.1]}},
        "intelex32": found([{"seconds": s} for s in (8.0, 8.0, 7.0, 9.0)], 99.9),
        "sklearn": {"fits": [], "over_budget": 400.0},
    },
}  # fmt: skip


def test_ratios_are_of_the_medians_after_the_first():
    assert ratio(PART, "intelex32", solve=False) == (0.5, False)
    assert ratio(PART, "intelex32", solve=True) == (3.0 / 8.0, False)
    assert ratio(PART, "intelex64", solve=False) is None


def test_a_stopped_program_gives_a_bound():
    assert ratio(PART, "sklearn", solve=False) == (4.0 / 400.0, True)


def test_geometric_mean():
    assert geometric_mean([(0.5, False), None, (2.0, False)]) == pytest.approx((1, 0))
    assert geometric_mean([(0.1, False), (0.4, True)]) == pytest.approx((0.2, True))
    assert geometric_mean([None]) is None


def line(shown: str, *beginning: str) -> list[str]:
    """Return the cells of the only table line that starts with `beginning`."""
    cells = [[c.strip() for c in row.split("|")[1:-1]] for row in shown.splitlines()]
    (only,) = [row for row in cells if tuple(row[: len(beginning)]) == beginning]
    return only


def test_text_of_a_data_set():
    shown = text({"a9a": {"AVX2": PART}})
    assert "One run, 2020-01-02 03:04 UTC" in shown
    assert line(shown, "a9a")[1:] == ["4.00", "0.50", "< 0.010"]
    assert line(shown, "this recipe")[1:6] == [
        "4.00",
        "3.00 to 5.00",
        "9.00",
        "5.00",
        "4",
    ]
    assert line(shown, "— solve: 9 iterations")[1] == "3.00"
    assert line(shown, "— certificate")[1] == "1.00"
    peer = line(shown, "scikit-learn-intelex, float32")
    assert peer[1] == "8.00" and peer[6:9] == ["0.50", "0.38", "9.0e-04"]
    assert peer[10] == "1e-03" and peer[12] == "0.8500"
    assert line(shown, "scikit-learn (LIBSVM)")[1] == "> 400"


def test_text_of_two_instruction_sets():
    slower = copy.deepcopy(PART)
    slower["programs"]["ours"]["fits"] = ours(20.0, 10.0)
    shown = text({"a9a": {"AVX-512": PART, "AVX2": slower}})
    assert "### a9a: AVX-512" in shown and "### a9a: AVX2" in shown
    summary = line(shown, "a9a")
    assert summary[1:] == ["4.00", "0.50", "< 0.010", "10.00", "1.25", "< 0.025"]
    name = "fit ÷ scikit-learn-intelex, float32"
    assert line(shown, f"{name}: geometric mean")[1:] == [
        "≤ 0.8",
        "0.5",
        "1.25 (missed)",
    ]
    assert line(shown, f"{name}: largest ratio")[1:] == [
        "≤ 1.2",
        "0.5",
        "1.25 (missed)",
    ]


def test_text_of_predictions():
    letter = copy.deepcopy(PART)
    shown = text({"letter": {"AVX2": letter}})
    title = "letter, 26 classes, 16,281 rows"
    mine = line(shown, title, "AVX2", "this recipe, batches of 4096")
    assert mine[3:5] == ["0.100", "0.44"]  # 0.1 over the median of 0.25 and 0.2


def test_text_of_several_runs_lists_each():
    later = {**PART, "started": "2020-02-03 00:00 UTC"}
    shown = text({"a9a": {"AVX2": PART}, "letter": {"AVX2": later}})
    assert "- 2020-01-02 03:04 UTC: a9a. a machine. numpy 2." in shown
    assert "- 2020-02-03 00:00 UTC: letter." in shown


def test_text_of_memory():
    fit = {"task": "a9a", "rows": 10, "cache_bytes": 500e6, "data_bytes": 100e6,
           "baseline_bytes": 600e6, "peak_bytes": 1000e6}  # fmt: skip
    shown = text({"memory": {"AVX2": {**RUN, "fits": [fit]}}})
    assert line(shown, "a9a")[1:] == ["100", "500", "400", "800", "50%", "600"]


def test_growth_as_table_and_plot(tmp_path):
    growth = {
        **RUN,
        "title": "digits",
        "points": {
            "1000": {"ours": ours(3.0, 1.0), "sklearn": [{"seconds": 2.0}]},
            "30000": {"ours": ours(9.0, 5.0), "sklearn": []},
        },
    }
    record = {"growth": {"AVX-512": growth},
              "mnist_even_odd": {"AVX-512": PART, "AVX2": PART}}  # fmt: skip
    shown = text(record)
    assert line(shown, "1,000") == ["1,000", "1.00", "—", "2.00", "3.00"]
    assert line(shown, "30,000") == ["30,000", "5.00", "—", "—", "9.00"]
    # All rows, of that data set's own part.
    assert line(shown, "32,561") == ["32,561", "4.00", "8.00", "—", "9.00"]
    plot(record, tmp_path / "svm.svg")
    assert b"</svg>" in (tmp_path / "svm.svg").read_bytes()


def test_all_are_called_in_turn_and_within_their_budget():
    called = []

    def program(name: str, seconds: float) -> Any:
        def call(timeout: float | None) -> dict[str, float]:
            called.append(name)
            if timeout is not None and seconds > timeout:
                raise TimeoutError
            return {"seconds": seconds}

        return call

    calls = {"a": program("a", 1), "slow": program("slow", 6), "b": program("b", 3),
             "never": program("never", 11)}  # fmt: skip
    given = in_turn_within(calls, runs=3, budget=10, pause=0)
    # A fourth call of b would raise its sum to 12 seconds, as a second one of slow.
    assert called == ["a", "slow", "b", "never", "a", "b", "a", "b", "a"]
    assert {name: len(each) for name, each in given.items()} == {
        "a": 4, "slow": 1, "b": 3, "never": 0
    }  # fmt: skip
