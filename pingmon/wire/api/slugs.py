"""Slugs from names, as the management API made them before version 3.

The rule is Django's `slugify`: fold to ASCII, lower-case, drop what is no letter, digit, underscore, space or hyphen,
then make one hyphen of every run of spaces and hyphens. Since version 3 a slug is only what the client says.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_DROPPED: Final = re.compile(r"[^\w\s-]", re.ASCII)
_JOINED: Final = re.compile(r"[-\s]+")


def slugify(name: str) -> str:
    """The slug of `name`; it may be empty. Never longer than the name's compatibility decomposition."""
    folded = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode("ascii")
    return _JOINED.sub("-", _DROPPED.sub("", folded.lower())).strip("-_")
