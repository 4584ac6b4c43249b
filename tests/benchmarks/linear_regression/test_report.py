"""The benchmark's report of its measurements."""

from benchmarks.linear_regression.report import plot, text

RUN = {"started": "2020-01-02 03:04 UTC", "machine": "a machine", "versions": "numpy 2"}


def large(scale):
    seconds = {"ours": 0.3, "ours_loose": 0.1, "intelex32": 0.2, "sklearn": 2.0}
    programs = {
        name: {"seconds": [9.0, scale * each], "excess": 1e-12}
        for name, each in seconds.items()
    }
    return {**RUN, "rows": 1_000_000, "features": 100, "programs": programs,
            "certificate": 0.03, "rates": {"read": 40e9, "step": 10e9}}  # fmt: skip


def test_text_has_both_instruction_sets():
    shown = text({"large": {"AVX-512": large(1), "AVX2": large(2)}})
    assert "in memory: AVX-512" in shown and "in memory: AVX2" in shown
    assert "| 0.300 | 9.00 | 1.00 | 0.33 | 1.0e-12 |" in shown
    assert "10.0 GB/s; a plain sum of x reads it at 40.0 GB/s: 25%" in shown
    assert "| ≤ 1.5 | 1.5 | 1.5 |" in shown and "| ≤ 1 | 0.5 | 0.5 |" in shown


def test_text_without_the_peer_has_no_ratio():
    alone = large(1)
    del alone["programs"]["intelex32"]
    assert "| ≤ 1.5 | — |" in text({"large": {"AVX2": alone}})


def test_growth_as_table_and_plot(tmp_path):
    points = [
        {"axis": axis, "rows": 10_000, "features": features,
         "seconds": {"ours": [1.0, 0.5], "sklearn": [2.0] if features < 50 else []}}
        for axis in ("rows", "features") for features in (10, 100)
    ]  # fmt: skip
    growth = {**RUN, "points": points, "streamed": {"rows": 10**7, "seconds": 9.5}}
    record = {"growth": {"AVX2": growth}}
    shown = text(record)
    assert "| 10,000 × 10 | 0.500 | 2.000 |" in shown
    assert "| 10,000 × 100 | 0.500 | — |" in shown
    assert "| 10,000,000 × 10, from disk, once | 9.5 | — |" in shown
    plot(record, tmp_path / "plot.svg")
    assert b"</svg>" in (tmp_path / "plot.svg").read_bytes()
