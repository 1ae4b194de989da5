"""The API's badges: where they are. What they show, `web.badges` knows."""

from __future__ import annotations

import msgspec
from twisted.internet.task import deferLater

from pingmon.api.api_answer import ApiAnswer
from pingmon.api.call import PAUSE_S, SLICE, Call
from pingmon.wire.badges import ALL, project_badge_urls


async def list_badges(call: Call) -> ApiAnswer:
    """The addresses of the project's badges: for all checks (`*`), and for each tag.

    They are made and sent a slice at a time, so that pings need not wait: there may be a tag, or many, for each check.
    """
    tags = [ALL, *sorted({tag for check in call.checks() for tag in check.spec.tags.split(" ")} - {ALL, ""})]
    slices: list[bytes] = []
    for start in range(0, len(tags), SLICE):
        if start:
            await deferLater(call.clock, PAUSE_S)
        shown = {tag: project_badge_urls(call.base, call.project, tag) for tag in tags[start : start + SLICE]}
        slices.append(b"," * bool(start) + msgspec.json.encode(shown)[1:-1])
    return ApiAnswer(200, b'{"badges":{', parts=(*slices, b"}}"))
