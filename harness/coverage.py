#!/usr/bin/env python3
"""Checks that each test named in docs/coverage.md ran and passed.

Run: python3 harness/coverage.py docs/coverage.md OUTPUT...

OUTPUT is what `cargo test` printed, standard error included: it says which binary comes next. A test
is named as `binary::test`, perhaps with modules between.
"""

import re
import sys
from pathlib import Path

RUNNING = re.compile(r"^\s*Running .*?\(?\S*/deps/([A-Za-z0-9_]+)-[0-9a-f]+\)?$")
TEST = re.compile(r"^test (\S+)(?: - should panic)? \.\.\. (ok|FAILED|ignored.*)$")
NAMED = re.compile(r"`([a-z_0-9]+(?:::[a-z_0-9]+)+)`")


def ran(outputs):
    """(binary and path of a test, how it ended), for all in the outputs."""
    tests = []
    for output in outputs:
        binary = None
        for line in output.splitlines():
            if found := RUNNING.match(line):
                binary = found[1]
            elif found := TEST.match(line):
                tests.append(([binary, *found[1].split("::")], found[2]))
            elif re.match(r"^\s*Doc-tests ", line):
                binary = None
    return tests


def named(page):
    """The tests that a page names."""
    return sorted(set(NAMED.findall(page)))


def problems(page, outputs):
    """What is wrong, a line each."""
    by_name = {}
    for path, outcome in ran(outputs):
        by_name.setdefault(path[-1], []).append((path, outcome))
    wrong = []
    names = named(page)
    if not names:
        wrong.append("the page names no test")
    for name in names:
        parts = name.split("::")
        found = [(path, outcome) for path, outcome in by_name.get(parts[-1], []) if leads_to(parts, path)]
        if not found:
            wrong.append(f"{name} did not run")
        for path, outcome in found:
            if outcome != "ok":
                wrong.append(f"{'::'.join(map(str, path))}: {outcome}")
    return wrong


def leads_to(parts, path):
    """Whether the parts are in the path, in order, the first and the last at its ends."""
    if path[0] != parts[0]:
        return False
    rest = iter(path)
    return all(part in rest for part in parts)


def main():
    if len(sys.argv) < 3:
        raise SystemExit(__doc__)
    page, *outputs = [Path(name).read_text(errors="replace") for name in sys.argv[1:]]
    wrong = problems(page, outputs)
    for line in wrong:
        print(f"{sys.argv[1]}: {line}", file=sys.stderr)
    if wrong:
        raise SystemExit(1)
    print(f"{len(named(page))} tests are named, and all of them ran and passed")


if __name__ == "__main__":
    main()
