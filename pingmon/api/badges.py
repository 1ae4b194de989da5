"""The API's badges: where they are. What they show, `web.badges` knows."""

from __future__ import annotations

from pingmon.api.api_answer import ApiAnswer, json_answer
from pingmon.api.call import Call
from pingmon.wire.badges import ALL, project_badge_urls


async def list_badges(call: Call) -> ApiAnswer:
    """The addresses of the project's badges: for all checks (`*`), and for each tag."""
    tags = {tag for check in call.checks() for tag in check.spec.tags.split(" ") if tag}
    shown = {tag: project_badge_urls(call.base, call.project, tag) for tag in (ALL, *sorted(tags - {ALL}))}
    return json_answer({"badges": shown})
