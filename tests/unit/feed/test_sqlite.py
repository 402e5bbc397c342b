"""Opening the embedded engines' files."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

from feed.sqlite import open_file


def test_threads_that_make_one_file_at_once_all_open_it(tmp_path: Path) -> None:
    for number in range(50):
        together = Barrier(6)

        def opened(path: Path, together: Barrier = together) -> str:
            together.wait(10)
            connection = open_file(path)
            mode = str(connection.pragma("journal_mode"))
            connection.close()
            return mode

        with ThreadPoolExecutor(6) as pool:
            made = list(pool.map(opened, [tmp_path / f"{number}.db"] * 6))
        assert made == ["wal"] * 6
