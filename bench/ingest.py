#!/usr/bin/env python3
"""How fast bodies of 64 MiB come in, beside `dd conv=fsync` of the same bytes to the same disk.

    cargo build --release -p landfall-cli && python3 bench/ingest.py [--rounds N] [--landfall PATH]

Needs curl and dd. In each round, one after the other: dd, one connection of curl, four at once,
four dd at once; each round begins with another one, since a disk may be slower the more was just
written. The figures are medians, the ratios those of pairs in one round.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "harness"))

from server import Server, account  # noqa: E402

BODY = 64 * 1024 * 1024
EACH = 8
CONNECTIONS = 4
TICKS = os.sysconf("SC_CLK_TCK")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--landfall", default=str(ROOT / "target/release/landfall"))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--work", help="directory on the disk to measure")
    options = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="landfall-ingest-", dir=options.work))
    server = None
    try:
        source = work / "body"
        source.write_bytes(os.urandom(BODY))
        server = Server(options.landfall, work / "data", work / "log")
        token = account(options.landfall, work / "data")
        rounds = [one_round(work, source, server, token, nth) for nth in range(1 + options.rounds)][1:]
        tell(rounds, peak(server))
    finally:
        if server:
            server.kill()
        shutil.rmtree(work, ignore_errors=True)


def one_round(work, source, server, token, first):
    works = [
        ("dd", lambda: dd(work, source, 1)),
        ("curl", lambda: curl(work, source, server, token, 1)),
        ("curl4", lambda: curl(work, source, server, token, CONNECTIONS)),
        ("dd4", lambda: dd(work, source, CONNECTIONS)),
    ]
    took = {}
    for nth in range(len(works)):
        name, work_of = works[(first + nth) % len(works)]
        before = cpu(server)
        took[name] = timed(work_of)
        if name == "curl":
            took["cpu"] = (cpu(server) - before) / (EACH * BODY / 2**30)
    return took


def timed(work):
    begun = time.monotonic()
    work()
    return time.monotonic() - begun


def dd(work, source, at_once):
    """The same bytes into files of the same size, each synced."""
    script = 'for n in $(seq "$3"); do dd if="$1" of="$2.$n" bs=1M conv=fsync status=none; done'
    run(["sh", "-c", script, "dd", str(source), str(work / f"dd{nth}"), str(EACH // at_once)] for nth in range(at_once))
    for made in work.glob("dd*"):
        made.unlink()


def curl(work, source, server, token, at_once):
    """Bodies one after the other on each connection."""
    commands = []
    for nth in range(at_once):
        paths = [f"/{nth}/{one}" for one in range(EACH // at_once)]
        args = [{"path": path, "mode": "overwrite", "strict_conflict": True} for path in paths]
        config = work / f"curl{nth}"
        uploads(config, f"http://127.0.0.1:{server.port}", source, token, args)
        commands.append(["curl", "--no-progress-meter", "--fail", "--config", str(config)])
    run(commands)


def uploads(config, server, source, token, args, options=()):
    """Writes a configuration of curl: an upload of `source` with each of the arguments; `options`
    are further lines of each."""
    requests = []
    for arg in args:
        lines = [
            f'url = "{server}/2/files/upload"',
            'request = "POST"',
            f'upload-file = "{source}"',
            f'header = "Authorization: Bearer {token}"',
            'header = "Content-Type: application/octet-stream"',
            'header = "Expect:"',
            f"header = {json.dumps('Dropbox-API-Arg: ' + json.dumps(arg))}",
            'output = "/dev/null"',
            *options,
        ]
        requests.append("".join(f"{line}\n" for line in lines))
    config.write_text("next\n".join(requests))
    config.chmod(0o600)


def run(commands):
    """All at once; each must end well."""
    running = [subprocess.Popen(command) for command in commands]
    codes = [process.wait() for process in running]
    if any(codes):
        raise SystemExit(f"a command failed: {codes}")


def cpu(server):
    """Processor seconds of the server so far."""
    fields = Path(f"/proc/{server.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def peak(server):
    """The most memory the server had, in MiB."""
    for line in Path(f"/proc/{server.process.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0


def spread(values, digits=2):
    """The median, and the smallest and the largest."""
    values = sorted(values)
    return f"{statistics.median(values):.{digits}f} ({values[0]:.{digits}f} to {values[-1]:.{digits}f})"


def tell(rounds, memory):
    rate = EACH * BODY / 2**20
    for name in ("dd", "curl", "curl4", "dd4"):
        print(f"{name:6} {spread([rate / took[name] for took in rounds], 0)} MiB/s")
    print(f"one connection / dd    {spread([took['dd'] / took['curl'] for took in rounds])}")
    print(f"four connections / dd  {spread([took['dd'] / took['curl4'] for took in rounds])}")
    print(f"four connections / four dd at once  {spread([took['dd4'] / took['curl4'] for took in rounds])}")
    print(f"server: {spread([took['cpu'] for took in rounds])} CPU seconds per GiB, peak memory {memory:.0f} MiB")


if __name__ == "__main__":
    main()
