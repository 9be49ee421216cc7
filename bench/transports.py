#!/usr/bin/env python3
"""How fast bodies of 64 MiB come in over plain HTTP/1.1, TLS with HTTP/1.1 and TLS with HTTP/2.

    cargo build --release -p landfall-cli && python3 bench/transports.py [--rounds N] [--landfall PATH]

Needs curl with HTTP/2. In each round one connection of curl sends eight bodies each way, one way
after the other, to two servers on directories on the same disk; each round begins with another
way. The figures are medians, the ratios those of pairs in one round. curl encrypts on the same
processors that decrypt.
"""

import argparse
import json
import os
import shutil
import statistics
import tempfile
from pathlib import Path

from ingest import BODY, EACH, ROOT, cpu, peak, run, timed
from server import Server, account

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
    parser.add_argument("--work", help="directory on the disk to measure")
    options = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="landfall-transports-", dir=options.work))
    targets = {}
    try:
        (work / "body").write_bytes(os.urandom(BODY))
        for scheme, flags in (("http", ()), ("https", ("--tls-dev",))):
            data = work / scheme
            server = Server(options.landfall, data, work / "log", options=flags)
            targets[scheme] = (server, account(options.landfall, data))
        rounds = [one_round(work, targets, nth) for nth in range(1 + options.rounds)][1:]
        tell(rounds)
        memory = {scheme: peak(server) for scheme, (server, _) in targets.items()}
        print(f"peak memory {memory['http']:.0f} MiB plain, {memory['https']:.0f} MiB TLS")
    finally:
        for server, _ in targets.values():
            server.kill()
        shutil.rmtree(work, ignore_errors=True)


def one_round(work, targets, first):
    names = list(WAYS)
    took = {}
    for nth in range(len(names)):
        name = names[(first + nth) % len(names)]
        scheme, version = WAYS[name]
        server, token = targets[scheme]
        before = cpu(server)
        seconds = timed(lambda: send(work, server, token, scheme, version))
        took[name] = (seconds, (cpu(server) - before) / (EACH * BODY / 2**30))
    return took


def send(work, server, token, scheme, version):
    requests = []
    for nth in range(EACH):
        arg = json.dumps({"path": f"/{nth}", "mode": "overwrite", "strict_conflict": True})
        requests.append(
            f'url = "{scheme}://localhost:{server.port}/2/files/upload"\n'
            'request = "POST"\n'
            f'cacert = "{work}/https/tls/authority.pem"\n'
            f"{version}\n"
            f'upload-file = "{work}/body"\n'
            f'header = "Authorization: Bearer {token}"\n'
            'header = "Content-Type: application/octet-stream"\n'
            'header = "Expect:"\n'
            f"header = {json.dumps('Dropbox-API-Arg: ' + arg)}\n"
            'output = "/dev/null"\n'
        )
    config = work / "curl"
    config.write_text("next\n".join(requests))
    config.chmod(0o600)
    run([["curl", "--no-progress-meter", "--fail", "--config", str(config)]])


def tell(rounds):
    def spread(values, digits=2):
        values = sorted(values)
        return f"{statistics.median(values):.{digits}f} ({values[0]:.{digits}f} to {values[-1]:.{digits}f})"

    mebibytes = EACH * BODY / 2**20
    for name in WAYS:
        rate = spread([mebibytes / took[name][0] for took in rounds], 0)
        ratio = spread([took[PLAIN][0] / took[name][0] for took in rounds])
        seconds = spread([took[name][1] for took in rounds])
        print(f"{name:16} {rate} MiB/s; {ratio} of plain; {seconds} CPU seconds of the server per GiB")


if __name__ == "__main__":
    main()
