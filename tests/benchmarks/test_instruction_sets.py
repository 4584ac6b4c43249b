"""The environments in which programs are measured."""

import os

import pytest

from benchmarks import instruction_sets
from benchmarks.instruction_sets import AVX2, environments


@pytest.fixture
def cpuinfo(tmp_path, monkeypatch):
    """Return a function that says which features the processor has."""
    path = tmp_path / "cpuinfo"
    monkeypatch.setattr(instruction_sets, "Path", lambda _: path)
    return lambda features: path.write_text(f"flags : fpu {features}\n")


def test_a_processor_with_avx512_measures_avx2_too(cpuinfo, monkeypatch):
    cpuinfo("avx2 avx512f avx512bw")
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    sets = environments()
    assert [*sets] == ["AVX-512", "AVX2"]
    assert not AVX2.keys() & sets["AVX-512"].keys()
    assert sets["AVX2"] == {**sets["AVX-512"], **AVX2}
    assert sets["AVX-512"]["PATH"] == os.environ["PATH"]


def test_others_measure_what_they_have(cpuinfo):
    cpuinfo("sse4_2 avx2")
    assert [*environments()] == ["AVX2"]
    cpuinfo("asimd")
    (only,) = environments()
    assert "AVX" not in only
