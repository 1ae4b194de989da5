"""What a ping request means for its check, decided before it enters the log so that replay needs no such decision.

Order of judgement (pinging API): the URL's action, a non-zero exit status being a failure; then `methods`; then the
keyword filters, which replace the action; last, a paused check with manual resume ignores everything. A ping by mail
has no action and no method, and filters of its own.
"""

from __future__ import annotations

import codecs
import re
from typing import Final

from pingmon.core.check.check import Status
from pingmon.core.check.settings import CheckSpec
from pingmon.core.world.events import Signal

USER_AGENT_MAX: Final = 200
"""Characters of a user agent that are kept."""

_severed_sub: Final = re.compile(rb"\A[\x80-\xbf]{1,3}(?![\x80-\xbf])").sub
"""Without the rest of a character before the first whole one."""
_utf8: Final = codecs.getincrementaldecoder("utf-8")


def meaning(
    spec: CheckSpec, status: Status, action: Signal, exitstatus: int | None, method: str, body: bytes
) -> Signal:
    """The signal that a ping with this URL action, exit status, method and kept body gives to a check."""
    signal: Signal = "fail" if exitstatus else action
    if spec.methods == "POST" and method != "POST":
        signal = "ign"
    elif spec.filter_http_body:
        signal = _by_keywords(spec, body.decode("utf-8", "replace"))
    return _unless_paused(spec, status, signal)


def mail_meaning(spec: CheckSpec, status: Status, subject: str, body: str) -> Signal:
    """The signal that a ping by mail with this subject and text gives to a check."""
    texts = [text for text, wanted in ((subject, spec.filter_subject), (body, spec.filter_body)) if wanted]
    return _unless_paused(spec, status, _by_keywords(spec, "\n".join(texts)) if texts else "success")


def is_text(kept: bytes, *, cut: bool) -> bool:
    """Whether the kept part of a body is UTF-8.

    It may begin within a character, as the output of `tail -c` does. With `cut` it may also end within one.
    """
    if kept.isascii():
        return True
    kept = _severed_sub(b"", kept) or kept
    try:
        _utf8().decode(kept, final=not cut)
    except UnicodeDecodeError:
        return False
    return True


def _unless_paused(spec: CheckSpec, status: Status, signal: Signal) -> Signal:
    return "ign" if status == "paused" and spec.manual_resume else signal


def _by_keywords(spec: CheckSpec, text: str) -> Signal:
    if _any_in(spec.failure_kw, text):
        return "fail"
    if _any_in(spec.success_kw, text):
        return "success"
    if _any_in(spec.start_kw, text):
        return "start"
    return "fail" if spec.filter_default_fail else "ign"


def _any_in(keywords: str, text: str) -> bool:
    """Whether one of the comma-separated keywords occurs in `text`, as it is written."""
    return any(keyword in text for part in keywords.split(",") if (keyword := part.strip()))
