"""The daemon as a .tac file, for `twistd -ny pingmon.tac`; the same code path as `twistd pingmon`.

Options go into the list below, as on the command line: `["--data", "/var/lib/pingmon"]`.
"""

from twisted.application.service import Application

from pingmon.tap import PingmonOptions, makeService

options = PingmonOptions()
options.parseOptions([])
application = Application("pingmon")
makeService(options).setServiceParent(application)
