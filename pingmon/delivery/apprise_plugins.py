"""apprise itself: what is done with its plug-ins, on a thread that may block.

What plug-ins say may hold secrets of their URLs, so none of it reaches a log or a user: of a failure only the status is
told, or that there was no connection. They keep nothing on the disk and can attach no files.
"""

from __future__ import annotations

import logging
import re
from functools import cache
from threading import Lock, local
from typing import TYPE_CHECKING, Any, Final

from pingmon.delivery.attempt import ATTEMPT_S, Delivered, NotDelivered, Result
from pingmon.wire.api.apprise_channel import NOT_INSTALLED, scheme_of
from pingmon.wire.message.apprise import AppriseMessage

if TYPE_CHECKING:
    from apprise import AppriseAsset

CONNECT_S: Final = 10.0
CHATTY: Final = ("urllib3", "requests", "requests_oauthlib", "oauthlib", "slixmpp", "paho", "smpplib")
"""Loggers of what plug-ins use."""
_STATUS: Final = re.compile(r"\berror[=: ]+([1-5]\d\d)\b", re.IGNORECASE)
_BROKEN: Final = re.compile(r"connection error|socket error|timed? ?out", re.IGNORECASE)

_said = local()
_loading: Final = Lock()


class _Hearing(logging.Handler):
    """Keeps what plug-ins say on this thread, and shows it to nobody."""

    def emit(self, record: logging.LogRecord) -> None:
        getattr(_said, "lines", []).append(record.getMessage())


def send(url: str, message: AppriseMessage) -> Result:
    """Deliver. Blocks for as long as the plug-in does."""
    try:
        with _loading:
            asset = _loaded()
    except ImportError:
        return NotDelivered(NOT_INSTALLED)  # not for good: it may be installed
    from apprise import Apprise, NotifyFormat, NotifyType

    scheme = scheme_of(url)
    _said.lines = []
    try:
        service = Apprise.instantiate(url, asset=asset)
        if service is None:
            return NotDelivered(_unusable(scheme), permanent=True)
        service.socket_connect_timeout, service.socket_read_timeout = CONNECT_S, ATTEMPT_S
        sent = service.notify(
            body=message.body, title=message.title, notify_type=NotifyType(message.type), body_format=NotifyFormat.TEXT
        )
    except Exception as error:  # noqa: BLE001 -- whatever a plug-in raises, its channel alone suffers
        return NotDelivered(f"apprise's plug-in for {scheme}:// failed: {type(error).__name__}")
    finally:
        lines, _said.lines = _said.lines, []
    return Delivered() if sent else NotDelivered(_why(scheme, lines))


@cache
def _loaded() -> AppriseAsset:
    """apprise with its mouth shut and its hands tied; its modules take about a second to load."""
    from apprise import AppriseAsset
    from apprise.manager_attachment import AttachmentManager

    logger = logging.getLogger("apprise")
    logger.addHandler(_Hearing(logging.WARNING))
    logger.setLevel(logging.WARNING)
    logger.propagate = False
    for name in CHATTY:
        logging.getLogger(name).addHandler(logging.NullHandler())
        logging.getLogger(name).propagate = False
    attachments: Any = AttachmentManager()  # by which URLs can name files of this machine: templates, keys, pictures
    attachments.remove(*attachments.schemas(), unload=False)
    return AppriseAsset(app_id="pingmon", app_desc="pingmon", storage_mode="memory")


def _unusable(scheme: str) -> str:
    from apprise import __version__
    from apprise.manager_plugins import NotificationManager

    plugins: Any = NotificationManager()
    if scheme in ("http", "https"):
        return f"apprise {__version__} knows no service with such an {scheme}:// URL"
    if scheme not in plugins:
        return f"apprise {__version__} knows no {scheme}://"
    if not plugins[scheme].enabled:
        return f"apprise lacks what it needs for {scheme}://: {_text(plugins[scheme].requirements)}"
    return f"apprise cannot use this {scheme}:// URL: `apprise -vv -b test URL` says why"


def _text(requirements: dict[str, Any]) -> str:
    packages = requirements.get("packages_required") or []
    return ", ".join([packages] if isinstance(packages, str) else map(str, packages)) or "see its documentation"


def _why(scheme: str, lines: list[str]) -> str:
    for line in lines:
        if found := _STATUS.search(line):
            return f"status {found[1]}"
    if any(map(_BROKEN.search, lines)):
        return "could not connect, or the connection broke off"
    return f"apprise could not deliver it by {scheme}://: `apprise -vv -b test URL` says why"
