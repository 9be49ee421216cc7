"""The test of the soak: a client must tell each wrong answer, and growth must be seen.

Run: python3 harness/test_soak.py
"""

import threading
import time
import unittest
from types import SimpleNamespace

from api import Answer
from content import ContentHash, Piece
from history import File
from soak_client import Open, SoakClient, Wrong
from tally import Latencies, Tally
from vitals import MIB, Sample, growth

BODY = Piece("body", 100).bytes()
HASH = ContentHash().update(BODY).hexdigest()
FLAT = {
    "rss": 40 * MIB, "fds": 20, "threads": 9, "metadata": 40 * MIB, "wal": 40 * MIB,
    "blobs": 200 * MIB, "own_rss": 40 * MIB,
}  # fmt: skip


def told(path="/c0/f.bin", rev="9", size=100, content_hash=HASH):
    return {".tag": "file", "path_lower": path, "rev": rev, "size": size, "content_hash": content_hash}


def ok(value, body=b""):
    return Answer("ok", 200, value, body)


def refused(why, value=None, status=409):
    return Answer("refused", status, value, why=why)


class Scripted:
    """Answers every call with the next answer of a list."""

    def __init__(self, *answers):
        self.answers = list(answers)

    def answer(self, *_):
        return self.answers.pop(0)

    upload = rpc = download = answer


class ClientTest(unittest.TestCase):
    def setUp(self):
        soak = SimpleNamespace(
            seed=1, port=0, token="t", tally=Tally(), stopping=threading.Event(),
            rate_of_one=1e6, keep=100, life=100, gone_before=time.monotonic() - 150,
        )  # fmt: skip
        self.client = SoakClient(soak, 0)
        self.file = File("/c0/f.bin", "9", 100, HASH)
        self.client.files = {self.file.path: self.file}
        self.client.place = lambda: "/c0/f.bin"
        self.client.chance = lambda _: False
        self.client.piece = lambda: Piece("body", 100)

    def after(self, *answers):
        self.client.api = Scripted(*answers)
        return self.client

    def wrong(self, operation, *answers):
        with self.assertRaises(Wrong):
            getattr(self.after(*answers), operation)()

    def test_right_answers_pass(self):
        self.after(ok(told(), BODY)).download()
        self.after(ok(told())).metadata()
        self.after(ok({"entries": [told()], "cursor": "c", "has_more": False})).list()
        self.after(ok({"metadata": told()})).delete()
        self.after(refused("path_lookup/not_found/..")).delete()
        self.assertEqual(self.client.soak.tally.failed, 0)

    def test_downloads(self):
        self.wrong("download", ok(told(), BODY[:-1] + b"!"))
        self.wrong("download", ok(told(), BODY[:-1]))
        self.wrong("download", ok(told(rev="8"), BODY))
        self.wrong("download", refused("path/not_found/"))
        self.wrong("download", Answer("unknown", why="IncompleteRead"))
        self.client.replaced.append((self.file, time.monotonic()))
        self.wrong("download_old", refused("path/not_found/"))

    def test_what_is_not_there_must_not_be_found(self):
        self.client.files = {}
        self.wrong("download", ok(told(), BODY))
        self.wrong("metadata", ok(told()))
        self.wrong("delete", ok({"metadata": told()}))
        self.wrong("list", ok({"entries": [told()], "cursor": "c", "has_more": False}))

    def test_listings(self):
        self.wrong("list", ok({"entries": [], "cursor": "c", "has_more": False}))
        self.wrong("list", ok({"entries": [told(rev="8")], "cursor": "c", "has_more": False}))
        gone = {".tag": "deleted", "path_lower": "/c0/f.bin"}
        self.client.cursor, self.client.mirror = "c", {"/c0/f.bin": "9"}
        self.wrong("changes", ok({"entries": [gone], "cursor": "d", "has_more": False}))

    def test_commits(self):
        self.client.files = {}
        self.wrong("upload", ok(told(content_hash="0" * 64)))
        self.wrong("upload", ok(told(path="/c0/other.bin")))
        self.wrong("upload", refused("path/conflict/file/", {}))
        self.wrong("upload", Answer("unknown", 500))
        self.wrong("upload", Answer("unknown", 503))

    def test_sessions(self):
        self.client.open = [Open("s", time.monotonic())]
        for correct_offset in (0, 100):
            answer = refused("incorrect_offset/", {"correct_offset": correct_offset})
            self.wrong("append", answer)
        self.client.open[0].hash.update(BODY)
        off = {"lookup_failed": {"correct_offset": 99}}
        self.wrong("wrong_offset", refused("lookup_failed/incorrect_offset/", off))
        self.wrong("wrong_offset", ok(told()))
        self.client.left.append(("s", time.monotonic() - 1000))
        self.wrong("expired", refused("incorrect_offset/", {"correct_offset": 0}))
        self.client.finished.append(({}, Piece("body", 100), told(), time.monotonic()))
        self.wrong("finish_again", ok(told(rev="a")))
        self.wrong("finish_again", refused("lookup_failed/not_found/"))


class GrowthTest(unittest.TestCase):
    @staticmethod
    def samples(**growing):
        def at(second):
            values = {what: value + growing.get(what, 0) * second for what, value in FLAT.items()}
            return Sample(seconds=second, cpu_seconds=0, **values)

        return [at(second) for second in range(400)]

    def test_what_is_flat_passes(self):
        self.assertEqual(growth(self.samples()), [])

    def test_what_grows_is_told(self):
        for what, value in FLAT.items():
            per_second = value / 50
            found = growth(self.samples(**{what: per_second}))
            self.assertTrue(any(text.startswith(f"{what} grew") for text in found), (what, found))

    def test_a_warm_up_is_no_growth(self):
        samples = self.samples()
        for sample in samples[:90]:
            sample.rss = MIB
        self.assertEqual(growth(samples), [])

    def test_a_log_that_was_huge_once_is_told(self):
        samples = self.samples()
        samples[50].wal = 500 * MIB
        self.assertTrue(growth(samples))


class LatenciesTest(unittest.TestCase):
    def test_percentiles_are_of_the_right_size(self):
        latencies = Latencies()
        for milliseconds in range(1, 1001):
            latencies.add(milliseconds / 1000)
        self.assertAlmostEqual(latencies.percentile(0.5), 0.5, delta=0.05)
        self.assertAlmostEqual(latencies.percentile(0.99), 0.99, delta=0.09)
        self.assertEqual(latencies.percentile(1), 1.0)


if __name__ == "__main__":
    unittest.main()
