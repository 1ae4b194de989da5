"""The transcript of a night: what people and programs are told by a real daemon, as Markdown on standard output.

    .venv/bin/python -m tests.process.a_night > docs/a-night.md

The daemon, the mail server and the receivers are processes and sockets on loopback; commands are run by a shell. Only
the daemon's clocks are not the system's (`hurried`): where a night has nothing to tell, they hurry.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from html import unescape
from pathlib import Path
from textwrap import fill

from tests.authority import Certified
from tests.mail_server import MailServerProcess, Taken
from tests.process.daemons import Received, Receiver, Running, free_port, until
from tests.process.forked import BIN

BEGIN = datetime(2026, 3, 2, 1, 58, tzinfo=UTC)
JOBS = 40


class Night:
    """What is there on this night, and what its transcript says so far."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.said: list[str] = []
        server, pem = Certified("server", "localhost"), place / "server.pem"
        pem.write_bytes(server.pem + server.key_pem)
        (place / "mails").mkdir()
        self.mails = MailServerProcess(place / "mails", pem, pem)
        self.chat, self.pager = Receiver(), Receiver()
        port, log, config = free_port(), place / "log", place / "pingmon.toml"
        config.write_text(
            f'[smtp]\nhost = "127.0.0.1"\nport = {self.mails.ports["plain"]}\ntls = "none"\n'
            'from = "pingmon <pingmon@example.org>"\n\n[outgoing]\nallow = ["127.0.0.0/8"]\n'
        )
        hurried = Path(__file__).with_name("hurried.py")
        arguments = [
            "-n",
            "--pidfile=",
            "pingmon",
            "--config",
            str(config),
            "--listen",
            f"tcp:{port}:interface=127.0.0.1",
        ]
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, str(hurried), str(BEGIN.timestamp()), *arguments],
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=out,
                cwd=place,
            )
        self.daemon = Running(place / "pingmon-data", port, self.process, log)
        self.config = config.read_text()

    def begin(self) -> None:
        """Wait until the daemon is there; have commands find it."""
        until(self.daemon.listening, "the daemon to listen")
        keys = {"PINGMON_URL": self.daemon.url, "PINGMON_PING_KEY": self.daemon.keys["ping_key"], "COLUMNS": "100"}
        ours = {name: it for name, it in os.environ.items() if not name.upper().startswith("PINGMON_")}
        self.environment = {**ours, **keys, "PATH": f"{BIN}:{os.environ['PATH']}"}

    def close(self) -> None:
        """End all that was started."""
        self.process.kill()
        self.process.communicate(timeout=10)
        self.mails.close()
        self.chat.close()
        self.pager.close()

    # --- time -----------------------------------------------------------------------------------------------------

    @property
    def now(self) -> datetime:
        """What the daemon's clock shows."""
        return parsedate_to_datetime(self.daemon.ask("GET", "/api/v3/status/").headers["Date"])

    def at(self, clock: str) -> None:
        """Let time pass until it is so late (`02:15:30`), the last seconds at their own pace."""
        then = datetime.fromisoformat(f"{BEGIN.date()}T{clock}Z")
        assert self.process.stdin is not None
        self.process.stdin.write(f"{max(0.0, (then - self.now).total_seconds() - 3)}\n".encode())
        self.process.stdin.flush()
        until(lambda: self.now >= then, clock, 60)

    # --- what is done, and what is told -----------------------------------------------------------------------------

    def say(self, text: str) -> None:
        """A paragraph or a heading."""
        self.said.append(fill(text, 120, break_long_words=False, break_on_hyphens=False))

    def block(self, text: str, kind: str = "") -> None:
        """Text as it is."""
        self.said.append(f"```{kind}\n{text.rstrip()}\n```")

    def run(self, *commands: str) -> None:
        """What a shell says to these commands."""
        lines = []
        for command in commands:
            ran = subprocess.run(
                ["bash", "-c", command],
                cwd=self.place,
                env=self.environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=60,
            )
            lines += [f"$ {command}", *ran.stdout.splitlines()]
        self.block("\n".join(lines))

    def mail(self, recipient: str, number: int = -1, count: int = 0) -> Taken:
        """A mail to a recipient, once there are `count`."""
        until(lambda: len(self.mails.taken(recipient)) >= count, f"{count} mails to {recipient}", 60)
        return self.mails.taken(recipient)[number]

    def show(self, mail: Taken, lines: int = 0) -> None:
        """The heads of a mail that people see, and its text, or the first `lines` of it."""
        heads = [f"{name}: {mail.message[name]}" for name in ("Date", "From", "To", "Subject")]
        text = mail.part("plain").rstrip().split("\n")
        self.block("\n".join([*heads, "", *([*text[:lines], "…"] if lines else text)]))

    def follow(self, mail: Taken, what: str) -> None:
        """Open a link of a mail and press its button; say what the pages say."""
        (link,) = set(re.findall(rf"http\S+/links/{what}/\S+", mail.part("plain")))
        path = link.removeprefix(self.daemon.url)
        before, after = (self.daemon.ask(method, path).body.decode() for method in ("GET", "POST"))
        said = [re.findall("<(?:h1|p|button)>(.*?)</", page) for page in (before, after)]
        self.block(unescape("\n".join(["{}\n\n{}\n\n[{}]".format(*said[0]), "", "{}\n\n{}".format(*said[1])])))


def texts(requests: Sequence[Received]) -> str:
    """What webhooks were told, a line each."""
    return "\n".join(json.loads(each.body)["text"] for each in requests)


def in_order(lines: Iterable[str]) -> list[str]:
    """Lines about `host-1`, `host-2` and so on in this order; several leave at once."""
    return sorted(lines, key=lambda line: int(re.split(r"host-(\d+)", line)[1]))


@contextmanager
def night(place: Path) -> Iterator[Night]:
    """All that it takes, as long as it lasts."""
    made = Night(place)
    try:
        made.begin()
        yield made
    finally:
        made.close()


# --- the night ----------------------------------------------------------------------------------------------------


def evening(it: Night) -> None:
    it.say("## 01:58, before")
    it.say(
        "The daemon has this configuration. The mail server and the receivers are on its own machine, which is why "
        "`[outgoing]` allows that."
    )
    it.block(it.config, "toml")
    it.run(
        "pingmon channel add email ops --email ops@example.org > ops.secret",
        "pingmon channel add email boss --email boss@example.org > boss.secret",
        f"pingmon channel add webhook chat --webhook {it.chat.url}/hook > chat.secret",
        f"pingmon channel add webhook pager --webhook {it.pager.url}/page > pager.secret",
    )
    it.say("Both people are asked first whether they want that. This is the mail to ops:")
    asked = it.mail("ops@example.org", count=1)
    it.show(asked)
    it.say("The link leads to a page with a button. Below is what the page says once that was pressed:")
    it.follow(asked, "confirm")
    it.say("The boss is asked and says yes as well:")
    it.follow(it.mail("boss@example.org", count=1), "confirm")
    it.say("A job is made, and it is said who is told of it, how often again, and who is told when nobody sees to it:")
    it.run(
        "pingmon check add backup --timeout 1d --grace 1h --tags prod --channels ops,chat,pager "
        "--remind-every 10m --escalation 15m=boss",
        "pingmon run backup true",
    )


def failure(it: Night) -> None:
    it.at("02:00:00")
    it.say("## 02:00, a job fails")
    it.run("pingmon run backup sh -c 'echo dumping 42 tables; echo no space left on device >&2; exit 3'")
    it.say("ops gets this mail:")
    it.show(it.mail("ops@example.org", count=2))
    it.say("The webhooks are sent JSON. This is what the chat gets, but for the check, which is as the API shows it:")
    (told,) = it.chat.wait(1)
    message = json.loads(told.body)
    message["check"] = "…"
    it.block(json.dumps(message, indent=2, ensure_ascii=False), "json")
    it.say("Whoever wonders may ask:")
    it.run("pingmon check explain backup")


def outage(it: Night) -> None:
    it.at("02:10:00")
    it.say("## 02:10, a reminder")
    it.say("Nobody has done anything. ops is told again:")
    it.show(it.mail("ops@example.org", count=3), 3)
    it.say("The chat and the pager are, too:")
    it.block(texts(it.chat.wait(2)[1:]))
    it.at("02:15:00")
    it.say("## 02:15, the boss is called")
    it.say("It is a quarter of an hour since ops was told, and nobody has said that he sees to it:")
    called = it.mail("boss@example.org", count=2)
    it.show(called, 5)
    it.at("02:17:00")
    it.say("## 02:17, somebody sees to it")
    it.say("The boss follows the link in the mail, as anybody who got one could:")
    it.follow(called, "ack")
    it.at("02:31:00")
    it.say("From then on it is quiet. This is at 02:31, when two more reminders would have been sent:")
    it.run("pingmon channel show ops")
    it.say("## 02:31, it is over")
    it.run("pingmon run backup echo dumped 42 tables")
    it.say("Everybody hears of that who heard of the outage. ops:")
    it.show(it.mail("ops@example.org", count=4))
    it.mail("boss@example.org", count=3)
    it.say("The boss gets the same. This is all that the pager was told:")
    it.block(texts(it.pager.wait(3)))


def pings(how: str) -> str:
    """A shell's loop that pings for many jobs."""
    return f"for n in $(seq {JOBS}); do curl -fsS -o /dev/null $PINGMON_URL/ping/$PINGMON_PING_KEY/host-$n{how}; done"


def storm(it: Night) -> None:
    it.at("02:40:00")
    it.say("## 02:40, a storm, and a receiver that is dead")
    it.say(
        f"{JOBS} jobs ping for the first time. Then the switch breaks that all of them need. It is the pager's switch, "
        "too: whatever is sent there is answered with status 503 from now on."
    )
    mails, chats = len(it.mails.taken("ops@example.org")), len(it.chat.got)
    it.pager.answer = lambda request: 503
    it.run(pings("?create=1"), pings("/fail"))
    it.mail("ops@example.org", count=mails + 20)
    it.at("02:40:30")
    digest = it.mail("ops@example.org", count=mails + 21)
    subjects = in_order(str(mail.message["Subject"]) for mail in it.mails.taken("ops@example.org")[mails:-1])
    subjects.append(str(digest.message["Subject"]))
    it.say(f"ops does not get {JOBS} mails, but {len(subjects)}:")
    it.block("\n".join([*subjects[:2], "…", *subjects[-2:]]))
    it.say("The last one is a digest, which tells of all that the others have not told:")
    it.show(digest, 8)
    it.say("So it is in the chat:")
    told = texts(it.chat.wait(chats + 21)[chats:]).split("\n")
    it.block("\n".join([*in_order(told[:-1])[:2], "…", told[-1]]))
    it.say("Nothing of this had to wait for the pager, at which one attempt is made from time to time:")
    it.run("pingmon channel show pager -n 3")


def again(it: Night) -> None:
    it.at("02:44:00")
    it.say("## 02:44, the pager answers again")
    it.say("Its operator need not wait for the next attempt: a test that goes well is one, too.")
    before = len(it.pager.got)
    it.pager.answer = lambda request: 200
    it.run("pingmon channel test pager")
    it.say("So the pager hears of that, and of all that it has missed:")
    it.block(texts(it.pager.wait(before + 2)[before:]))
    it.at("02:50:00")
    it.say("## 02:50, the switch is replaced")
    mails = len(it.mails.taken("ops@example.org"))
    it.run(pings(""))
    it.mail("ops@example.org", count=mails + 20)
    it.at("02:50:30")
    digest = it.mail("ops@example.org", count=mails + 21)
    it.say("Again ops gets twenty mails one by one, and then this:")
    it.show(digest, 8)


def maintenance(it: Night) -> None:
    it.at("03:00:00")
    it.say("## 03:00, maintenance")
    it.say("Until 03:10 some machines are restarted. Nobody needs to hear of that:")
    mails = len(it.mails.taken("ops@example.org"))
    it.run(
        "pingmon maintenance add restarts --start 2026-03-02T03:00Z --end 2026-03-02T03:10Z",
        "pingmon run host-1 false",
        "pingmon run host-2 false",
        "pingmon run host-1 true",
    )
    it.at("03:10:00")
    it.say("The first is well again before the end, so ops never hears of it. Of the second ops hears now:")
    it.show(it.mail("ops@example.org", mails, count=mails + 1), 5)
    it.run("pingmon run host-2 true")
    it.mail("ops@example.org", count=mails + 2)


def morning(it: Night) -> None:
    it.say("## In the morning")
    it.say("All of it is in the log, and the log is sound:")
    it.run("pingmon status", "pingmon journal verify --data pingmon-data")


HEAD = """# A night

A transcript: what two people, a chat and a pager are told while jobs fail and come back. A script makes it, which
anybody can run in a clone of this repository that has what the tests need:

```sh
.venv/bin/python -m tests.process.a_night > docs/a-night.md
```

The daemon is real, and so are the mail server and the receivers of webhooks, all on one machine. Where nothing happens,
the daemon's clocks run four hundred times as fast, so the night takes a minute or two. Mails are shown with the headers
that people see and their plain text; `…` stands for what was left out."""
PARTS: Sequence[Callable[[Night], None]] = (evening, failure, outage, storm, again, maintenance, morning)


def transcript(place: Path) -> str:
    """The whole document. What `until` waits for in vain raises its error, with the daemon's log on standard error."""
    with night(place) as it:
        it.said.append(HEAD)
        try:
            for part in PARTS:
                part(it)
        except BaseException:
            print(it.daemon.log.read_text(), file=sys.stderr)
            raise
        return "\n\n".join(it.said) + "\n"


MASKED = (
    (r"[0-9a-f]{8}-[0-9a-f-]{27}", "ID"),
    (r"/[\w-]{20}(?=\n)", "/SIGNATURE"),
    (r"(?<!\d)\d\d:\d\d:\d\d(?!\d)", "TIME"),
    (r"(?<=127\.0\.0\.1:)\d+|(?<=port = )\d+", "PORT"),
    (r"\b\d+ ?(ms|min|s|m|h)( ?\d+ ?(min|s|m))?\b", "LONG"),
    (r"(?m)^(ops|chat|pager)(?= was told at)", "CHANNEL"),
    (r"(?<=whsec_)[^…]+", "SECRET"),
    (r"(ID_|/)\w+(?=\"|/SIGNATURE)", r"\1MORE"),
    (r"(failing attempts +)\d+", r"\1COUNT"),
    (r"(?<=\nsound: ).*", "ALL"),
)
"""What is another in each night; who of several is told first, too."""


def masked(text: str) -> str:
    """A transcript without what is another each time it is made."""
    for pattern, mask in MASKED:
        text = re.sub(pattern, mask, text)
    return text


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        print(transcript(Path(folder)), end="")
