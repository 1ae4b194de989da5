"""Tells `twistd` and `twist` about pingmon; importing this loads nothing of pingmon itself."""

from twisted.application.service import ServiceMaker

pingmon = ServiceMaker("pingmon", "pingmon.tap", "Monitor of cron jobs: pings in, alerts out.", "pingmon")

verifier = ServiceMaker(
    "pingmon-verifier", "pingmon.verifier_tap", "Looks at sites for a pingmon elsewhere.", "pingmon-verifier"
)
