"""What the benchmark reads of the programs."""

import pytest

from benchmarks.svm.programs import compile_seconds

HEAD = "I0000 00:00:1 7 device_compiler.h:469] Compilation of XLA executable time: "


def test_compilations_in_the_logs_of_old_and_new_tensorflow():
    old = "1.78 s (cumulative: 1.78 s, max: 1.78 s, #called: 1)"
    new = "92 ms (92034 us) (cumulative: 1.88 s, max: 1.78 s, #called: 2)"
    log = f"{HEAD}{old}\nanother line\n{HEAD}{new}\n"
    assert compile_seconds(log) == pytest.approx([1.78, 0.092])
    assert compile_seconds("another line\n") == []
