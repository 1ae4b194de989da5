"""The limits for everybody who connects: one place, for HTTP/1 and HTTP/2."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

HEADERS_MAX: Final = 100
"""Header fields of a request."""

HEAD_BYTES_MAX: Final = 16_384
"""Bytes of a request's header fields, and of its first line."""

ACCEPTS: Final = 200
"""Callers that the front accepts in one turn of the loop: in 25 of them more than a port's queue holds (`alarms`)."""

READ_MAX: Final = 8192
"""Bytes that are read at a time, instead of Twisted's 65,536; also how much of an answer may wait for its reader."""


HEAD_DECODED_MAX: Final = 4 * HEAD_BYTES_MAX
"""Bytes of a head over HTTP/2 beyond which it is not even decoded; the connection ends."""


class DoorSettings(Struct, frozen=True, kw_only=True):
    """`request_deadline_s`: from the first byte of a request to its last. `idle_timeout_s`: between two requests, and
    for reading an answer. `body_limit`: bytes of a body that a resource may get. `body_cap`: bytes of a body for the
    intake after which the connection is closed (the request counts). `trusted_proxies`: see Note [Trust in relays] in
    `caller_address`. `front`: whether the front meets plain TCP callers. `other_files`: how many of the process's files
    may be open for probes and the like.
    """

    request_deadline_s: float = 30.0
    idle_timeout_s: float = 60.0
    max_connections: int = 10_000
    body_limit: int = 65_536
    body_cap: int = 1 << 20
    trusted_proxies: tuple[str, ...] = ()
    front: bool = True
    other_files: int = 0
