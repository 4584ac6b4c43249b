"""What benchmarks share."""

from benchmarks.measure import median_after_first, target_table


def test_the_first_value_counts_only_if_alone():
    assert median_after_first([9.0, 1.0, 2.0, 3.0]) == 2.0
    assert median_after_first([9.0]) == 9.0


def test_targets_say_which_are_missed():
    values = {"AVX-512": 0.4, "AVX2": 1.25, "other": None}
    shown = target_table([("ours ÷ peer", 0.5, values)], values)
    assert shown.splitlines()[-1] == (
        "| ours ÷ peer | ≤ 0.5 | 0.4 | 1.25 (missed) | — |"
    )
