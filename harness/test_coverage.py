"""The test of coverage.py: what ran passes, what didn't is told.

Run: python3 harness/test_coverage.py
"""

import unittest

from coverage import problems

OUTPUT = """\
     Running unittests src/lib.rs (target/debug/deps/landfall_server-0a1b2c3d)

running 1 test
test rules::session::tests::one ... ok

     Running tests/oracle/main.rs (target/debug/deps/oracle-00ff)

test memory::two ... ok
test sqlite::two ... FAILED
test three ... ignored
test four ... ok

   Doc-tests landfall_server

test crates/landfall-server/src/lib.rs - five (line 3) ... ok
test five ... ok
"""


class Coverage(unittest.TestCase):
    def wrong(self, *names):
        return problems(" ".join(f"`{name}`" for name in names), [OUTPUT])

    def test_what_ran_and_passed_is_fine(self):
        self.assertEqual(self.wrong("landfall_server::rules::session::one", "oracle::four"), [])
        self.assertEqual(self.wrong("landfall_server::one"), [])

    def test_what_is_not_there_is_told(self):
        for name in ("oracle::one", "landfall_server::four", "landfall_server::rules::commit::one", "oracle::fou"):
            self.assertEqual(self.wrong(name), [f"{name} did not run"])

    def test_what_failed_is_told_even_if_it_passed_elsewhere(self):
        self.assertEqual(self.wrong("oracle::two"), ["oracle::sqlite::two: FAILED"])

    def test_what_was_ignored_is_told(self):
        self.assertEqual(self.wrong("oracle::three"), ["oracle::three: ignored"])

    def test_examples_in_the_documentation_are_no_tests_of_the_binary_before(self):
        self.assertEqual(self.wrong("oracle::five"), ["oracle::five did not run"])

    def test_a_page_without_tests_is_told(self):
        self.assertEqual(problems("`files/upload` and `code`", [OUTPUT]), ["the page names no test"])


if __name__ == "__main__":
    unittest.main()
