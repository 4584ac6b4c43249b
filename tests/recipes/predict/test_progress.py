"""The lines that tell how far the command has come."""

import io

from recipes.predict.progress import Progress, format_seconds, measure_share_read


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def test_elsewhere_a_line_now_and_then():
    stream, clock = io.StringIO(), Clock()
    progress = Progress(lambda: 0.25, stream, clock)
    for second in range(1, 24):
        clock.now = 100.0 + second
        progress.show(1000 * second)
    progress.clear()
    assert stream.getvalue() == (
        "10,000 rows, 1,000 rows/s, 30 s left\n"
        "20,000 rows, 1,000 rows/s, 1:00 min left\n"
    )
    assert progress.seconds == 23


def test_on_a_terminal_one_line_that_changes_and_goes():
    stream, clock = Terminal(), Clock()
    progress = Progress(lambda: 0.0, stream, clock)
    clock.now += 1
    progress.show(200_000)
    clock.now += 0.1
    progress.show(220_000)  # too soon
    clock.now += 0.9
    progress.show(9)
    progress.clear()
    first, second = "200,000 rows, 200,000 rows/s", "9 rows, 4 rows/s"
    assert stream.getvalue() == (
        f"\r{first}\r{second.ljust(len(first))}\r{' ' * len(second)}\r"
    )


def test_times():
    assert [format_seconds(s) for s in (0.4, 59.4, 65, 3599, 7380)] == [
        "0 s", "59 s", "1:05 min", "59:59 min", "2:03 h",
    ]  # fmt: skip


def test_the_share_of_a_file_that_is_read(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"x" * 1000)
    assert measure_share_read(path) == 0
    with path.open("rb", buffering=0) as file:
        file.read(250)
        assert measure_share_read(path) == 0.25
    assert measure_share_read(tmp_path / "none") == 0
