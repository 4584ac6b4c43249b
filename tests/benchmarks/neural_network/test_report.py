"""The benchmark's report of its measurements."""

from benchmarks.neural_network.__main__ import operations, text

RUN = {"started": "2020-01-02 03:04 UTC", "machine": "a machine", "versions": "numpy 2"}


def part(**epoch):
    runs = {
        name: [{"epochs": [9.0, each, each], "first_step": 1.0, "accuracy": 0.9}]
        for name, each in epoch.items()
    }
    return {**RUN, "rows": 60_000, "rate": 245e9, "programs": runs}


def test_operations_of_an_epoch():
    # Two products with the first layer's weights, three with the second's.
    assert operations(1) == 2 * (2 * 784 * 128 + 3 * 128 * 10)


def test_text_has_both_instruction_sets_and_the_target():
    record = {
        "256": {
            "AVX-512": part(ours=0.2, keras_fast=0.2, keras=0.5),
            "AVX2": part(ours=0.1, keras_fast=0.1, keras=0.5),
        },
        "streaming": {
            "AVX2": {**RUN, "epochs": [[1.0, 0.5]], "rows": 60_000, "bytes": 2**30,
                     "peak": 2**30},
        },
        "serving": {
            "AVX2": {**RUN, "latency_ms": 0.1, "latency_99_ms": 0.2,
                     "rows_per_second": 1e6},
        },
    }  # fmt: skip
    shown = text(record)
    assert "batches of 256 | ≤ 0.3 | 0.4 (missed) | 0.2 |" in shown
    assert "## Batches of 256: AVX-512" in shown and "## Batches of 256: AVX2" in shown
    assert "per second take 0.100 s" in shown
    assert "1,000,000 rows per second" in shown
    assert "From disk" not in shown  # it is shown beside batches of 32
    with_memory = text({**record, "32": {"AVX2": part(ours=0.25, keras=0.5)}})
    assert "60,000 rows take 0.500 s, 2.00 × an epoch in memory" in with_memory


def test_text_of_nothing_about_the_target():
    shown = text({"32": {"AVX2": part(ours=0.2)}})
    assert "batches of 256 | ≤ 0.3 | — |" in shown
