"""Whom it is blamed on that a site's name could not be looked up: on the site, or on whoever probes it (`void`).

    the lookup failed                  and where the name led before is   the probe says
    for nobody answers any lookup      unknown                            void
    for nobody answers any lookup      known                              what is seen there
    for the name's servers are silent  unknown                            dns
    for the name's servers are silent  known                              dns, and what is seen there
    for nothing is under the name      unknown                            dns
    for nothing is under the name      known                              dns

    the time was used up by a lookup, and a name server has answered   the probe says
    since the probe began                                              what it would say anyway
    now that one was asked anew                                        what it would say anyway
    neither then nor now                                               void

A name server that answers is any that does, and whatever it answers: it shows that the prober's own way to the name
servers is sound, and so that the silence about this name is the name's.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec.structs import replace

from pingmon.core.site.failures import CANNOT_ASK
from pingmon.core.site.probe_result import Fault, Phase, ProbeResult

LookupCause: TypeAlias = Literal["nobody answers", "silent", "nothing there"]
LookupBlame: TypeAlias = Literal["void", "dns", "seen there", "dns and seen there"]
"""What a probe says; `seen there`: the site is looked for where its name led before."""


def lookup_blame(cause: LookupCause, *, remembered: bool) -> LookupBlame:
    """What a probe says whose lookup failed; `remembered`: it is known where the name led before."""
    if cause == "nobody answers":
        return "seen there" if remembered else "void"
    return "dns and seen there" if cause == "silent" and remembered else "dns"


def without_lookup(why: object) -> str:
    """What is noted of a look at the last known address, because `why` nobody answers any lookup."""
    return f"pingmon cannot look up names ({why}) and went to the last known address"


def nameless(why: str, fault: Fault, detail: str) -> tuple[Fault, str]:
    """What is said of a site whose name servers are silent, where `fault` was seen at its last known address."""
    return "dns", f"{why}; the server at its last known address {f'fails too: {detail}' if fault else 'is well'}"


def needs_sound_servers(phase: Phase, fault: Fault, *, answered: bool) -> bool:
    """Whether `fault` may be said only if a name server answers now, for the time was used up in `phase`.

    `answered`: one has, since the probe began.
    """
    return phase == "dns" and fault != "void" and not answered


def late_lookup(look: ProbeResult, sound: bool) -> ProbeResult:
    """What is said instead of `look`, of which `needs_sound_servers` is true; `sound`: a name server answers now."""
    return look if sound else replace(look, fault="void", detail=CANNOT_ASK(why="no name server answers"))
