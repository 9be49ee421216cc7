"""Calls of the API over loopback, with the outcomes that a client can tell apart.

`ok` is a promise of the server; `refused` says that nothing was committed, and `full` that the
disk has no room and nothing of the call was kept. Everything else is `unknown`: a connection
that died, and any other 5xx, may or may not have done its work.
"""

import http.client
import json
import ssl
from dataclasses import dataclass

TIMEOUT = 60
FULL = 507


@dataclass
class Answer:
    kind: str
    status: int = 0
    value: object = None
    body: bytes = b""
    why: str = ""

    @property
    def ok(self):
        return self.kind == "ok"

    @property
    def unknown(self):
        return self.kind == "unknown"

    @property
    def full(self):
        return self.kind == "full"

    def refused(self, *beginnings):
        """Whether it was refused, with an error summary that begins like one of these."""
        return self.kind == "refused" and self.why.startswith(beginnings)


class Api:
    """One connection; each thread has its own. With an authority to trust it speaks TLS."""

    def __init__(self, port, token, authority=None):
        self._port = port
        self._token = token
        self._tls = authority and ssl.create_default_context(cafile=authority)
        self._connection = None

    def upload(self, route, arg, body):
        """A route whose argument is in a header and whose payload is the body."""
        headers = {"Dropbox-API-Arg": json.dumps(arg), "Content-Type": "application/octet-stream"}
        return self._call(route, headers, body)

    def rpc(self, route, arg):
        """A route whose argument is the body."""
        return self._call(route, {"Content-Type": "application/json"}, json.dumps(arg).encode())

    def download(self, path):
        """The file's bytes, in `body`; its metadata, in `value`."""
        return self._call("files/download", {"Dropbox-API-Arg": json.dumps({"path": path})}, b"", True)

    def listing(self):
        """All live entries of the account, every page of them."""
        answer = self.rpc("files/list_folder", {"path": "", "recursive": True})
        entries = []
        while answer.ok:
            entries += answer.value["entries"]
            if not answer.value["has_more"]:
                return entries
            answer = self.rpc("files/list_folder/continue", {"cursor": answer.value["cursor"]})
        raise RuntimeError(f"list_folder: {answer.status} {answer.why}")

    def health(self):
        """The status of /healthz, on a connection of its own."""
        connection = self._connect()
        connection.request("GET", "/healthz")
        status = connection.getresponse().status
        connection.close()
        return status

    def close(self):
        if self._connection:
            self._connection.close()
            self._connection = None

    def _connect(self):
        if self._tls:
            return http.client.HTTPSConnection("localhost", self._port, timeout=TIMEOUT, context=self._tls)
        return http.client.HTTPConnection("127.0.0.1", self._port, timeout=TIMEOUT)

    def _call(self, route, headers, body, download=False):
        headers["Authorization"] = f"Bearer {self._token}"
        try:
            if self._connection is None:
                self._connection = self._connect()
            self._connection.request("POST", f"/2/{route}", body, headers)
            response = self._connection.getresponse()
            data = response.read()
            result = response.headers.get("Dropbox-API-Result")
        except (OSError, http.client.HTTPException) as error:
            self.close()
            return Answer("unknown", why=f"{type(error).__name__}: {error}")
        if response.status == 200:
            if download:
                return Answer("ok", 200, json.loads(result), data)
            return Answer("ok", 200, json.loads(data))
        if response.status == FULL:
            return Answer("full", FULL, why=data.decode(errors="replace"))
        if response.status >= 500:
            return Answer("unknown", response.status, why=data.decode(errors="replace"))
        try:
            value = json.loads(data)
            return Answer("refused", response.status, value.get("error"), why=value["error_summary"])
        except (ValueError, KeyError):
            return Answer("refused", response.status, why=data.decode(errors="replace"))
