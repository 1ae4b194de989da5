"""The settings of an apprise channel: one `url`, such as `ntfys://topic`, as apprise has them for each service.

apprise opens its own connections, to where its URL says, and the address policy cannot hold it. So the operator allows
it by scheme, and `*` allows all but those which act on the machine that pingmon runs on.
Whether apprise can use a URL is not judged here, because it reads files and loads programs to find out.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from pingmon.core.notify.allowed import Allowed
from pingmon.wire.api.channel_settings import Setting, settings_given, text_given, text_schema, wrong

URL_MAX: Final = 2000
ALL: Final = "*"
LOCAL: Final = frozenset({"blink1", "dbus", "gio", "glib", "gnome", "kde", "macosx", "qt", "syslog", "windows"})
"""Schemes whose plug-ins act on the machine that they run on. A `*` does not mean them."""
NOT_INSTALLED: Final = "this pingmon cannot deliver to channels of kind 'apprise': install pingmon[apprise]"

SETTINGS: Final[dict[str, Setting]] = {
    "url": Setting(
        schema=text_schema(URL_MAX), help="The URL that apprise has for the service.", secret=True, needed=True
    )
}
_URL: Final = re.compile(r"([A-Za-z0-9]{1,20})://[^\x00-\x20\x7f]*")


def apprise_value(value: object) -> dict[str, object]:
    """All settings. Raises `Invalid`."""
    url = text_given(settings_given(value), "url", URL_MAX).strip()
    if not _URL.fullmatch(url):
        raise wrong("url is not a URL of apprise, such as ntfys://topic")
    return {"url": url}


def changed_value(settings: Mapping[str, object], value: object) -> dict[str, object]:
    """`settings` with those that `value` sets. Raises `Invalid`."""
    return apprise_value({**settings, **settings_given(value)})


def unreachable(settings: Mapping[str, Any], allowed: Allowed) -> str | None:
    """Why such a channel can never be told; None if it may be."""
    return NOT_INSTALLED if allowed.apprise is None else refusal(settings["url"], allowed.apprise)


def refusal(url: str, schemes: Collection[str]) -> str | None:
    """Why the operator's `schemes` do not allow `url`; None if they do."""
    scheme = scheme_of(url)
    if scheme and (scheme in schemes or (ALL in schemes and scheme not in LOCAL)):
        return None
    return f'{scheme}:// is not allowed; allow it with [apprise] schemes = ["{scheme}"]'


def scheme_of(url: str) -> str:
    """The scheme of a URL, in lower case; "" if it has none."""
    found = _URL.fullmatch(url)
    return found[1].lower() if found else ""


def doubts(settings: Mapping[str, Any]) -> Iterator[str]:
    """What is perhaps not as it was meant: nothing that could be told without apprise."""
    return iter(())
