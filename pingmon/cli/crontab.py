"""Crontabs: what they say, which checks they would need, and their lines with pings. Text in, text out.

    printed(parsed(text)) is `text`, byte for byte; a job that is given pings changes its command and nothing else.

Vixie's format and cronie's, of users and of the system (with a user before the command). crontab(5) says what a line
means: the first `%` that has no `\\` ends the command, and what follows is its standard input.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from pingmon.core.check.schedule_faults import NAMES

CRON_PATH: Final = "/usr/bin:/bin"
CURL: Final = "curl -fsS -m 10 --retry 5 -o /dev/null"

_SET: Final = re.compile(r"""[ \t]*(?:(\w+)|"([^"]*)"|'([^']*)')[ \t]*=[ \t]*(.*)""")
_JOB: Final = re.compile(r"([ \t]*)(-?)(@\w+|[^\s#]\S*(?:[ \t]+\S+){4})([ \t]+)(.*)")
_USER: Final = re.compile(r"(\S+[ \t]+)(.*)")
_STDIN: Final = re.compile(r"(?<!\\)%")
_PINGS: Final = re.compile(r"\bpingmon run\b|/ping/|\bhc-ping\.com/")


class CronLine(Struct, frozen=True):
    """A line that is no job: a comment, a setting, nothing at all, or what cron would not take either.

    Only the last has a `number`.
    """

    text: str
    number: int = 0


class CronJob(Struct, frozen=True, kw_only=True):
    """A job. `before`, `command` and `after` (its standard input, from `%` on) are the line.

    `schedule` is as cron has it, with single spaces. `zone` is what CRON_TZ says, `comment` what stands right above;
    `shell` and `path` are what the lines above set, "" if they do not.
    """

    number: int
    before: str
    schedule: str
    command: str
    after: str = ""
    zone: str = ""
    comment: str = ""
    shell: str = ""
    path: str = ""

    @property
    def text(self) -> str:
        """The line."""
        return self.before + self.command + self.after

    @property
    def expression(self) -> str | None:
        """When it runs, in five fields; None if no clock says it."""
        return NAMES.get(self.schedule.lower()) if self.schedule.startswith("@") else self.schedule

    @property
    def pings(self) -> bool:
        """Whether its line sends pings already."""
        return _PINGS.search(self.command) is not None


Crontab: TypeAlias = list[CronLine | CronJob]


def parsed(text: str, *, system: bool) -> Crontab:
    """The lines of a crontab. `system`: a user stands before each command."""
    lines: Crontab = []
    settings: dict[str, str] = {}
    comment: list[str] = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.lstrip().startswith("#"):
            comment.append(line.strip().lstrip("#").strip())
            lines.append(CronLine(line))
            continue
        if found := _SET.fullmatch(line):
            settings[found[1] or found[2] or found[3] or ""] = _unquoted(found[4])
        job = None if found else _job(line, system)
        if job is None:
            lines.append(CronLine(line, 0 if found or not line.strip() else number))
        else:
            said = " ".join(each for each in comment if not _switched_off(each))
            lines.append(
                replace(
                    job,
                    number=number,
                    zone=settings.get("CRON_TZ", ""),
                    comment=said,
                    shell=settings.get("SHELL", ""),
                    path=settings.get("PATH", ""),
                )
            )
        comment = []
    return lines


def printed(lines: Iterable[CronLine | CronJob]) -> str:
    """The text of a crontab."""
    return "\n".join(line.text for line in lines)


def _job(line: str, system: bool) -> CronJob | None:
    found = _JOB.fullmatch(line)
    if found is None:
        return None
    before, command = "".join(found.groups()[:4]), found[5]
    if system:
        user = _USER.fullmatch(command)
        if user is None:
            return None
        before, command = before + user[1], user[2]
    start = _STDIN.search(command)
    end = start.start() if start else len(command)
    if not command[:end].strip():
        return None
    schedule = " ".join(found[3].split())
    return CronJob(number=0, before=before, schedule=schedule, command=command[:end], after=command[end:])


def _switched_off(comment: str) -> bool:
    """Whether a comment tells nothing of the job below it: another job, or the names of the columns."""
    return (
        comment == ""
        or "dom mon dow" in comment
        or (comment[0] in "@*-0123456789" and _JOB.fullmatch(comment) is not None)
    )


def _unquoted(text: str) -> str:
    text = text.rstrip()
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text


# --- names --------------------------------------------------------------------------------------------------------

PREPARING: Final = frozenset(
    {
        "cd",
        "test",
        "[",
        "[[",
        "export",
        "set",
        "umask",
        "ulimit",
        "sleep",
        "mkdir",
        "source",
        ".",
        "true",
        ":",
        "command",
    }
    | {"{", "(", "!", "if"}
)
"""Commands that prepare for what a job is about."""
WRAPPERS: Final = {
    "sudo": ("-u -g", 0),
    "nice": ("-n", 0),
    "ionice": ("-c -n -p", 0),
    "flock": ("-w -E", 1),
    "timeout": ("-k -s", 1),
    "env": ("-u", 0),
    "chronic": ("", 0),
    "nohup": ("", 0),
    "setsid": ("", 0),
    "exec": ("", 0),
    "time": ("", 0),
}
"""Commands that run another: their options that have a value, and how many arguments stand before it."""
SHELLS: Final = re.compile(r"(ba|da|z|k)?sh|python[0-9.]*|perl|ruby|php[0-9.]*|node")
OPERATORS: Final = frozenset(";&|()<>")
_ENDING: Final = re.compile(r"\.(sh|bash|py|pl|rb|php|js)$")
_ASSIGNMENT: Final = re.compile(r"[A-Za-z_]\w*=.*", re.DOTALL)


def job_name(command: str) -> str:
    """What people would call a job: the program that it is about, or the script that is run."""
    for words in _simple_commands(command.replace("\\%", "%")):
        name = _program(words)
        if name and name not in PREPARING:
            return name
    return "job"


def _simple_commands(command: str) -> list[list[str]]:
    try:
        words = list(_lexed(command))
    except ValueError:
        words = command.split()
    found: list[list[str]] = [[]]
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word and OPERATORS.issuperset(word):
            skip = "<" in word or ">" in word  # what follows is a file
            if not skip:
                found.append([])
        else:
            found[-1].append(word)
    return found


def _lexed(command: str) -> Iterable[str]:
    lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    return lexer


def _program(words: Sequence[str]) -> str:
    rest = list(words)
    while rest and (_ASSIGNMENT.fullmatch(rest[0]) or rest[0] in ("{", "!", "then", "else", "do")):
        rest.pop(0)
    if not rest:
        return ""
    name = _base(rest.pop(0))
    if name in WRAPPERS:
        with_value, arguments = WRAPPERS[name]
        while rest and rest[0].startswith("-"):
            del rest[: 2 if rest[0] in with_value.split() else 1]
        return _program(rest[arguments:]) or name
    if name == "run-parts" and rest:
        return _base(rest[-1])
    if SHELLS.fullmatch(name):
        if "-c" in rest[:-1]:
            return job_name(rest[rest.index("-c") + 1])
        return next((_base(word) for word in rest if not word.startswith("-")), name)
    return name


def _base(word: str) -> str:
    return _ENDING.sub("", word.rstrip("/").rpartition("/")[2])


# --- pings --------------------------------------------------------------------------------------------------------

BUILT_IN: Final = PREPARING | {
    "while",
    "until",
    "for",
    "case",
    "eval",
    "exec",
    "trap",
    "read",
    "wait",
    "exit",
    "alias",
    "time",
    "unset",
}
"""What only a shell can do; with `pingmon run`, it needs one of its own."""
_REDIRECTIONS: Final = frozenset({"<", ">", ">>", ">&", "&>", "&>>", ">|"})


def needs_shell(command: str) -> bool:
    """Whether a command is more than one program with its arguments and redirections."""
    if "`" in command or "$(" in command:
        return True
    try:
        words = list(_lexed(command))
    except ValueError:
        return True
    first = words[0] if words else ""
    if any(word.startswith("#") for word in words):  # perhaps a comment, which would hide what is put behind it
        return True
    operators = {word for word in words if word and OPERATORS.issuperset(word)}
    plain = first not in BUILT_IN and "=" not in first and first[:1] not in "-<>&" and not first.isdigit()
    return not plain or not operators <= _REDIRECTIONS


def with_run(job: CronJob, target: str, program: str) -> CronJob:
    """The job under `pingmon run`. `target` is a slug, an id or a ping URL, `program` how the command is called."""
    return replace(job, command=f"{_in_crontab(program)} run {_in_crontab(target)} {_whole(job)}")


def with_curl(job: CronJob, url: str) -> CronJob:
    """The job followed by a ping with its exit status to `url`."""
    return replace(job, command=f"{_whole(job)}; {CURL} {_in_crontab(url)}/$?")


def _whole(job: CronJob) -> str:
    """The command as one that can stand behind another, or before `;`."""
    command = job.command.strip()
    if not needs_shell(command):
        return command
    quoted = command.replace("'", "'\\''")
    return f"{job.shell or 'sh'} -c '{quoted}'"


def _in_crontab(word: str) -> str:
    return shlex.quote(word).replace("%", "\\%")
