"""The test of the checker: a good history passes, each planted fault is told.

Run: python3 harness/test_check.py
"""

import copy
import tempfile
import unittest
from pathlib import Path

from check import check
from content import BLOCK, ContentHash, Piece, hash_of
from history import ACKED, MAYBE, REFUSED, Commit, Deletion, File, History, Session
from injection import LostLog, fired, path_of
from observe import Seen
from strict_disk import Perishable


def metadata(path, rev, pieces):
    size = sum(piece.length for piece in pieces)
    return {"path_lower": path, "rev": rev, "size": size, "content_hash": hash_of(pieces)}


def commit(path, pieces, rev=None, **other):
    told = metadata(path.lower(), rev or "0", pieces)
    made = Commit(path, other.pop("mode", "add"), other.pop("of", None), other.pop("autorename", False),
                  told["size"], told["content_hash"], **other)
    if rev:
        made.acked(told)
    return made


A, B, C, D = (Piece(name, length) for name, length in [("a", 20), ("b", 200_000), ("c", 17), ("d", 19)])


class Case(unittest.TestCase):
    """One session open, one finished, one file overwritten, one deleted; two maybes."""

    def setUp(self):
        self.open = Session("open", [A, B], pending=C)
        self.done = commit("/Done.bin", [C, D], "9000", session="done", argument={}, body=D)
        self.old = commit("/f.bin", [A], "9001")
        self.new = commit("/f.bin", [B], "9002", mode="overwrite")
        self.dead = commit("/dead.bin", [C], "9003")
        self.unsure = commit("/f.bin", [D], mode="update", of="9002")
        self.history = History(
            sessions=[self.open, Session("done", [C, D], commit=self.done)],
            commits=[self.done, self.old, self.new, self.dead, self.unsure],
            deletions=[Deletion("/dead.bin", ACKED, "9003"), Deletion("/done.bin", MAYBE)],
        )
        told = metadata("/check/1", "9010", [A, B])
        files = [self.done.file, self.new.file, File.told(told)]
        revisions = files + [self.old.file, self.dead.file]
        self.seen = Seen(
            listed={file.path: file for file in files},
            downloads={file.rev: (file.size, file.hash) for file in revisions},
            lengths={"open": 200_020},
            gone={"done": "409 not_found"},
            finishes={"open": told},
            replays={"done": self.done.answer},
            integrity=["ok"],
        )

    def show(self, file):
        """Plants a file at its path."""
        self.seen.listed[file.path] = file
        self.seen.downloads[file.rev] = (file.size, file.hash)

    def good(self):
        self.assertEqual(check(self.history, self.seen), [])

    def bad(self, part):
        found = check(self.history, self.seen)
        self.assertTrue(any(part in text for text in found), f"{part!r} is not in {found}")


class Good(Case):
    def test_all_kept(self):
        self.good()

    def test_what_was_in_flight_may_be_there(self):
        self.seen.lengths["open"] += C.length
        told = metadata("/check/1", "9010", [A, B, C])
        self.seen.finishes["open"] = told
        self.show(File.told(told))
        self.good()

    def test_an_unanswered_update_may_have_taken_place(self):
        self.show(File("/f.bin", "9011", self.unsure.size, self.unsure.hash))
        self.good()

    def test_an_unanswered_deletion_may_have_taken_place(self):
        del self.seen.listed["/done.bin"]
        self.good()

    def test_an_unanswered_finish_may_have_taken_place(self):
        self.open.pending = None
        self.open.commit = commit("/maybe.bin", [A, B], session="open", argument={}, body=Piece("", 0))
        self.history.commits.append(self.open.commit)
        del self.seen.lengths["open"], self.seen.finishes["open"], self.seen.listed["/check/1"]
        self.seen.gone["open"] = "409 not_found"
        self.seen.replays["open"] = metadata("/maybe.bin", "9010", [A, B])
        self.show(File.told(self.seen.replays["open"]))
        self.good()


class Sessions(Case):
    def test_gone(self):
        del self.seen.lengths["open"]
        self.seen.gone["open"] = "409 not_found"
        self.bad("acknowledged bytes is gone")

    def test_shorter(self):
        self.seen.lengths["open"] = A.length
        self.bad("session open holds 20 bytes")

    def test_longer_than_what_was_in_flight(self):
        self.seen.lengths["open"] += C.length + 1
        self.bad("session open holds")

    def test_other_bytes(self):
        told = metadata("/check/1", "9010", [B, A])
        self.seen.finishes["open"] = told
        self.show(File.told(told))
        self.bad("session open: finished as")

    def test_bytes_that_do_not_come(self):
        self.seen.downloads["9010"] = "500 damaged"
        self.bad("session open: downloads as 500")

    def test_that_can_not_be_finished(self):
        self.seen.finishes["open"] = "500 damaged"
        self.bad("can't be finished")

    def test_open_again(self):
        self.seen.lengths["done"] = 36
        self.bad("is open again")


class Commits(Case):
    def test_that_told_another_size(self):
        self.new.size += 1
        self.bad("/f.bin: sent")

    def test_saved_elsewhere(self):
        self.old.path = "/g.bin"
        self.bad("/g.bin: saved at /f.bin")

    def test_revision_gone(self):
        self.seen.downloads["9001"] = "409 path/not_found"
        self.bad("revision 9001 of /f.bin")

    def test_revision_with_other_bytes(self):
        self.seen.downloads["9001"] = (20, hash_of([B]))
        self.bad("revision 9001 of /f.bin")

    def test_revision_not_looked_at(self):
        del self.seen.downloads["9003"]
        self.bad("revision 9003 was not looked at")

    def test_replay_lost(self):
        self.seen.replays["done"] = "409 lookup_failed/not_found"
        self.bad("the finish of done told")

    def test_replay_with_another_rev(self):
        self.seen.replays["done"] = dict(self.done.answer, rev="9020")
        self.bad("the finish of done told")

    def test_replay_of_an_earlier_cycle_lost(self):
        self.history.old_finishes.append(commit("/e.bin", [B], "8000", session="e"))
        self.seen.replays["e"] = "409 lookup_failed/not_found"
        self.bad("the finish of e told")

    def test_unanswered_finish_half_done(self):
        self.open.commit = commit("/maybe.bin", [A, B], session="open")
        del self.seen.lengths["open"], self.seen.finishes["open"]
        self.seen.gone["open"] = "409 not_found"
        self.seen.replays["open"] = "409 lookup_failed/not_found"
        self.bad("its finish says 409")


class Paths(Case):
    def test_gone(self):
        del self.seen.listed["/f.bin"]
        self.bad("/f.bin: File(")

    def test_back_to_an_older_revision(self):
        self.show(self.old.file)
        self.bad("/f.bin: shows")

    def test_deleted_file_is_back(self):
        self.show(self.dead.file)
        self.bad("after deletion of")

    def test_file_that_nobody_wrote(self):
        self.show(File("/ghost.bin", "9011", 3, hash_of([Piece("ghost", 3)])))
        self.bad("/ghost.bin: nobody wrote")

    def test_unanswered_update_of_a_stale_rev(self):
        self.unsure.rev = "9001"
        self.show(File("/f.bin", "9011", self.unsure.size, self.unsure.hash))
        self.bad("/f.bin: nobody wrote")

    def test_unanswered_add_never_replaces(self):
        self.unsure.mode = "add"
        self.show(File("/f.bin", "9011", self.unsure.size, self.unsure.hash))
        self.bad("/f.bin: nobody wrote")

    def test_listed_and_not_whole(self):
        self.show(File("/f.bin", "9011", self.unsure.size, self.unsure.hash))
        self.seen.downloads["9011"] = (0, hash_of([]))
        self.bad("/f.bin is listed with")

    def test_one_commit_at_two_places(self):
        self.show(File("/f (2).bin", "9011", self.new.size, self.new.hash))
        self.bad("saved more than once")

    def test_file_that_the_check_finished_is_not_listed(self):
        del self.seen.listed["/check/1"]
        self.bad("/check/1: File(")

    def test_refused_commit_is_there(self):
        self.unsure.state = REFUSED
        self.show(File("/f.bin", "9011", self.unsure.size, self.unsure.hash))
        self.bad("a commit that was refused")

    def test_listed_twice(self):
        self.seen.doubled.append("/f.bin")
        self.bad("listed twice")

    def test_file_of_an_earlier_cycle_is_gone(self):
        self.history.base["/e.bin"] = File("/e.bin", "8000", 10, hash_of([Piece("e", 10)]))
        self.bad("/e.bin: File(")


class Rest(Case):
    def test_surprise(self):
        self.history.surprise("append: 409 incorrect_offset")
        self.bad("append: 409")

    def test_database(self):
        self.seen.integrity = ["row 3 missing from index"]
        self.bad("SQLite: row 3")

    def test_autorename_is_of_the_family(self):
        self.old.autorename = True
        for path, good in [("/f (2).bin", True), ("/f (conflicted copy).bin", True), ("/g (2).bin", False)]:
            self.old.file = File(path, "9001", self.old.size, self.old.hash)
            told = [text for text in check(self.history, self.seen) if "saved at" in text]
            self.assertEqual(not told, good, told)


class Hash(unittest.TestCase):
    def test_blocks(self):
        # Known: the hash of nothing is SHA-256 of nothing.
        nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        self.assertEqual(ContentHash().hexdigest(), nothing)
        whole = Piece("w", BLOCK + 5).bytes()
        parts = ContentHash().update(whole[:3]).update(whole[3:BLOCK])
        before = copy.copy(parts).hexdigest()
        parts.update(whole[BLOCK:])
        self.assertEqual(parts.hexdigest(), ContentHash().update(whole).hexdigest())
        self.assertNotEqual(parts.hexdigest(), before)


class Trace(unittest.TestCase):
    """What strict_disk.py takes for unsynced."""

    def left(self, *lines):
        perishable = Perishable([])
        for line in lines:
            perishable.line(line)
        return perishable.names, perishable.bytes

    MADE = '7 openat(AT_FDCWD</>, "/d/f", O_WRONLY|O_CREAT|O_EXCL, 0600) = 9</d/f>'

    def test_new_file(self):
        self.assertEqual(self.left(self.MADE), ({"/d/f"}, {"/d/f"}))

    def test_file_synced(self):
        self.assertEqual(self.left(self.MADE, "7 fdatasync(9</d/f>) = 0"), ({"/d/f"}, set()))

    def test_directory_synced(self):
        self.assertEqual(self.left(self.MADE, "7 fsync(9</d>)       = 0"), (set(), {"/d/f"}))

    def test_sync_in_two_halves(self):
        lines = ("7 fsync(9</d> <unfinished ...>", "7 <... fsync resumed>)        = 0")
        self.assertEqual(self.left(self.MADE, *lines), (set(), {"/d/f"}))
        self.assertEqual(self.left(lines[0].replace("7", "8"), self.MADE, lines[1].replace("7", "8"))[0], {"/d/f"})

    def test_sync_that_did_not_end_or_failed(self):
        for line in ("7 fsync(9</d> <unfinished ...>", "7 fsync(9</d>) = -1 EIO (Input/output error)"):
            self.assertEqual(self.left(self.MADE, line)[0], {"/d/f"})

    def test_new_directory(self):
        self.assertEqual(self.left('7 mkdir("/d/e", 0700)     = 0')[0], {"/d/e"})


class Injected(unittest.TestCase):
    """What is taken from a trace of calls that failed on demand."""

    def test_a_failed_sync_takes_what_was_written_since_the_one_before(self):
        with tempfile.TemporaryDirectory() as work:
            log, trace = Path(work) / "log", Path(work) / "trace"
            log.write_bytes(bytes(range(1, 9)))
            trace.write_text(
                f"""7 pwrite64(9<{log}>, ""..., 2, 0) = 2
7 fdatasync(9<{log}>) = 0
7 pwrite64(9<{log}>, ""..., 2, 2) = 2
8 openat(AT_FDCWD</>, "/d/x", O_RDONLY <unfinished ...>
7 pwrite64(9<{log}>, ""..., 1, 6 <unfinished ...>
8 <... openat resumed>) = 3</d/x>
7 <... pwrite64 resumed>) = 1
7 fdatasync(9<{log}> <unfinished ...>
7 <... fdatasync resumed>) = -1 EIO (Input/output error) (INJECTED)
"""
            )
            self.assertEqual([path_of(call) for call in fired(trace)], [str(log)])
            lost = LostLog(trace)
            with open(log, "r+b") as file:
                file.write(b"\0\0\0")
            lost.lose()
            # 3 was written anew, and with it its neighbour of the same call.
            self.assertEqual(log.read_bytes(), bytes([0, 0, 0, 4, 5, 6, 0, 8]))


if __name__ == "__main__":
    unittest.main()
