"""Names of Twisted's that are not public, and on which the door relies because Twisted offers no other way.

Each stands in one module, and here. Who tries another Twisted sees at once which of them is gone.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.web import _http2, http

import pingmon.door

ROOM = Path(pingmon.door.__file__).parent

HTTP1 = {
    "_ChunkedTransferDecoder", "_ChunkedTransferDecoder._buffer", "_ChunkedTransferDecoder._dataReceived_TRAILER",
    "_IdentityTransferDecoder", "_MalformedChunkedDataError", "HTTPChannel._command", "HTTPChannel._finishRequestBody",
    "HTTPChannel._handlingRequest", "HTTPChannel._maybeChooseTransferDecoder", "HTTPChannel._networkProducer",
    "HTTPChannel._path", "HTTPChannel._receivedHeaderCount", "HTTPChannel._receivedHeaderSize",
    "HTTPChannel._respondToBadRequestAndDisconnect", "HTTPChannel._send100Continue", "HTTPChannel._transferDecoder",
    "HTTPChannel._version",
}  # fmt: skip
HTTP2 = {
    "_END_STREAM_SENTINEL", "H2Connection._consumerBlocked", "H2Connection._handlePriorityUpdate",
    "H2Connection._maxBufferedControlFrameBytes", "H2Connection._outboundStreamQueues", "H2Connection._reactor",
    "H2Connection._requestAborted", "H2Connection._requestDataReceived", "H2Connection._requestDone",
    "H2Connection._requestEnded", "H2Connection._requestReceived", "H2Connection._sendPrioritisedData",
    "H2Connection._stillProducing", "H2Connection._terminate",
}  # fmt: skip


def theirs(kind: str) -> Any:
    """An object of Twisted's at work."""
    if kind == "HTTPChannel":
        channel = http.HTTPChannel()
        channel.timeOut = None
        channel.makeConnection(StringTransport())
        channel.dataReceived(b"GET / HTTP/1.1\r\n")
        return channel
    if kind == "H2Connection":
        return _http2.H2Connection(Clock())
    return http._ChunkedTransferDecoder(lambda data: None, lambda rest: None)


@pytest.mark.parametrize("name", sorted(HTTP1 | HTTP2))
def test_twisted_still_has_it(name: str) -> None:
    """Or the door has to go another way."""
    kind, _, attribute = name.partition(".")
    if attribute:
        assert hasattr(theirs(kind), attribute)
    else:
        assert hasattr(http, kind) or hasattr(_http2, kind)


@pytest.mark.parametrize(("module", "names"), [("http1", HTTP1), ("http2", HTTP2)])
def test_they_are_all_told(module: str, names: set[str]) -> None:
    """Whatever begins with an underscore in these two modules is Twisted's, and named above, or our own."""
    tree = ast.parse((ROOM / f"{module}.py").read_text())
    used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr.startswith("_")}
    used |= {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("_")}
    used |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
    told = {name.rpartition(".")[2] for name in names}
    kinds = {"HTTPChannel", "H2Connection", "_ChunkedTransferDecoder"}
    found = {name for name in used if name.startswith("_") and any(hasattr(theirs(kind), name) for kind in kinds)}
    found |= {name for name in used if name.startswith("_") and (hasattr(http, name) or hasattr(_http2, name))}
    assert {name for name in found if not name.startswith("__")} == told


def test_no_other_module_of_the_door_relies_on_any() -> None:
    """Nor imports what is not public."""
    for path in ROOM.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("twisted"):
                private = [alias.name for alias in node.names if alias.name.startswith("_")]
                assert path.stem in ("http1", "http2") or (not private and "._" not in (node.module or "")), path
