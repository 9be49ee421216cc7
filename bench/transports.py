#!/usr/bin/env python3
"""How fast bodies of 64 MiB come in over plain HTTP/1.1, TLS with HTTP/1.1 and TLS with HTTP/2.

    cargo build --release -p landfall-cli && python3 bench/transports.py [--rounds N] [--landfall PATH]

Needs curl with HTTP/2. In each round one connection of curl sends eight bodies each way, one way
after the other, to two servers; each round begins with another way. The figures are medians, the
ratios those of pairs in one round. curl encrypts on the same processors that decrypt.

The servers store in memory, and each body has a hash that it doesn't match: it is received,
decrypted, hashed and refused. So neither the disk nor the memory that fills has a say (for those
there is ingest.py).
"""

import argparse
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from ingest import BODY, EACH, ROOT, cpu, peak, spread, timed, uploads
from server import DIES_WITH_PARENT, LIBC

TOKEN = "bench-token-0123456789"
PLAIN = "plain, HTTP/1.1"
WAYS = {
    PLAIN: ("http", "http1.1"),
    "TLS, HTTP/1.1": ("https", "http1.1"),
    "TLS, HTTP/2": ("https", "http2"),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--landfall", default=str(ROOT / "target/release/landfall"))
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="landfall-transports-"))
    servers = {}
    try:
        (work / "body").write_bytes(os.urandom(BODY))
        for scheme, flags in (("http", ()), ("https", ("--tls-dev",))):
            servers[scheme] = Ephemeral(options.landfall, work, *flags)
        rounds = [one_round(work, servers, nth) for nth in range(1 + options.rounds)][1:]
        tell(rounds)
        print(f"peak memory {peak(servers['http']):.0f} MiB plain, {peak(servers['https']):.0f} MiB TLS")
    finally:
        for server in servers.values():
            server.process.kill()
        shutil.rmtree(work, ignore_errors=True)


class Ephemeral:
    """A server in memory; its authority is in the folder `tls` of `work`."""

    def __init__(self, binary, work, *flags):
        self.process = subprocess.Popen(
            [binary, "serve", "--ephemeral", "--listen", "127.0.0.1:0", *flags],
            env={"PATH": os.environ["PATH"], "LANDFALL_TOKEN": TOKEN, "LANDFALL_HOME": str(work)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            preexec_fn=lambda: LIBC.prctl(DIES_WITH_PARENT, signal.SIGKILL),
        )
        self.port = int(self.process.stdout.readline().decode().rsplit(":", 1)[1])


def one_round(work, servers, first):
    names = list(WAYS)
    took = {}
    for nth in range(len(names)):
        name = names[(first + nth) % len(names)]
        scheme, version = WAYS[name]
        server = servers[scheme]
        before = cpu(server)
        seconds = timed(lambda: send(work, server, scheme, version))
        took[name] = (seconds, (cpu(server) - before) / (EACH * BODY / 2**30))
    return took


def send(work, server, scheme, version):
    args = [{"path": "/body", "content_hash": "0" * 64}] * EACH
    options = [f'cacert = "{work}/tls/authority.pem"', version, 'write-out = "%{http_code} "']
    config = work / "curl"
    uploads(config, f"{scheme}://localhost:{server.port}", work / "body", TOKEN, args, options)
    command = ["curl", "--no-progress-meter", "--config", str(config)]
    codes = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    if codes != ["409"] * EACH:
        raise SystemExit(f"answered with {codes}")


def tell(rounds):
    mebibytes = EACH * BODY / 2**20
    for name in WAYS:
        rate = spread([mebibytes / took[name][0] for took in rounds], 0)
        ratio = spread([took[PLAIN][0] / took[name][0] for took in rounds])
        seconds = spread([took[name][1] for took in rounds])
        print(f"{name:16} {rate} MiB/s; {ratio} of plain; {seconds} CPU seconds of the server per GiB")


if __name__ == "__main__":
    main()
