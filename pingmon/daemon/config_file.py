"""The configuration file: TOML, strict, with every problem reported at once under its key."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Struct
from msgspec.structs import fields

from pingmon.core import domain_names
from pingmon.daemon.config import (
    Config,
    Domain,
    Mailbox,
    Network,
    Page,
    Password,
    PeerUrl,
    Program,
    Proxies,
    Secrets,
    SecretSetting,
    Url,
)
from pingmon.wire.mail_address import mailbox
from pingmon.wire.message.signatures import secret
from pingmon.wire.probe.target import page, target
from pingmon.wire.verifier import question_url
from pingmon.wire.web_url import BadUrl

_is_url: Final = re.compile(r"https?://[A-Za-z0-9._\[\]:-]+(/[^\s?#'\"]*)?").fullmatch


class BadConfig(ValueError):
    """The file cannot be used; `problems` has one line for each thing that is wrong, with its key."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def load(path: Path) -> Config:
    """The configuration in the TOML file at `path`. Raises `BadConfig`."""
    try:
        tree = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise BadConfig([f"{path}: {error.strerror}"]) from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadConfig([f"{path}: {error}"]) from error
    return parse(tree, str(path))


def parse(tree: Mapping[str, Any], source: str) -> Config:
    """The configuration in a decoded TOML document. Raises `BadConfig` with all its problems."""
    found = [*_problems(Config, tree, ""), *_contradictions(tree)]
    if found:
        raise BadConfig([f"{source}: {problem}" for problem in found])
    return msgspec.convert(tree, Config, dec_hook=_text)


# --- what is wrong in one place -----------------------------------------------------------------------------------

_PLAIN: Final = {
    "int": "a whole number",
    "float": "a number",
    "str": "a text in quotes",
    "bool": "true or false",
    "array": "an array",
    "object": "a table",
}
"""What the types in msgspec's messages are called in TOML."""

_type_name: Final = re.compile("`([a-z]+)`").sub


def _problems(section: type[Struct], tree: Mapping[str, Any], prefix: str) -> Iterator[str]:
    hints = get_type_hints(section, include_extras=True)
    types = {field.encode_name: hints[field.name] for field in fields(section)}
    for field in fields(section):
        if field.required and field.encode_name not in tree:
            yield f"{prefix}{field.encode_name}: is missing"
    for key, value in tree.items():
        path = prefix + key
        wanted = types.get(key)
        if wanted is None:
            yield f"{path}: there is no such key{_hint(types)}"
        else:
            yield from _problem(wanted, value, path)


def _problem(wanted: Any, value: Any, path: str) -> Iterator[str]:
    item = SecretSetting if wanted is Secrets else get_args(wanted)[0] if get_origin(wanted) is tuple else None
    if _is_table(wanted):
        if isinstance(value, dict):
            yield from _problems(wanted, value, path + ".")
        else:
            yield f"{path}: expected a table"
    elif item is not None and isinstance(value, list) and value:
        for index, each in enumerate(value):
            yield from _problem(item, each, f"{path}[{index}]")
    elif _is_table(item) and value != []:
        yield f"{path}: expected tables, each under [[{path}]]"
    elif item is not None and isinstance(value, str) and wanted is not Secrets and not _is_table(item):
        yield f'{path}: expected an array; write ["{value}"]'
    elif get_origin(wanted) is Literal and value not in get_args(wanted):
        yield f"{path}: expected one of {', '.join(map(repr, get_args(wanted)))}"
    else:
        yield from _mismatch(wanted, value, path)


def _mismatch(wanted: Any, value: Any, path: str) -> Iterator[str]:
    try:
        msgspec.convert(value, wanted, dec_hook=_text)
    except msgspec.ValidationError as error:
        plain = _type_name(lambda name: _PLAIN.get(name[1], name[0]), str(error))
        yield f"{path}: {plain[:1].lower()}{plain[1:]}"


def _is_table(wanted: Any) -> bool:
    return isinstance(wanted, type) and issubclass(wanted, Struct)


def _hint(types: Mapping[str, Any]) -> str:
    return f" (known: {', '.join(sorted(types))})"


# --- what does not go together ------------------------------------------------------------------------------------


def _contradictions(tree: Mapping[str, Any]) -> Iterator[str]:
    """Looks at the file as it is, so that these are told together with all else that is wrong."""
    yield from _mail_contradictions(tree.get("smtp"))
    mail = tree.get("mail", {})
    if isinstance(mail, dict) and mail.get("listen") and not mail.get("domain"):
        yield "mail.domain: is missing; it is what stands behind the @ of an address"
    tables, sites = tree.get("verifier", []), tree.get("sites", {})
    if not isinstance(tables, list) or not isinstance(sites, dict):
        return
    for key, same in (("name", str), ("url", _asked_at)):
        places: dict[str, int] = {}
        for index, table in enumerate(tables):
            value = table.get(key) if isinstance(table, dict) else None
            if isinstance(value, str) and (first := places.setdefault(same(value), index)) != index:
                yield f"verifier[{index}].{key}: is that of verifier[{first}] already"
    quorum, ask = (_count(sites.get(key)) for key in ("quorum", "ask"))
    if quorum > len(tables):
        yield f"sites.quorum: {quorum} is more than there are verifiers ({len(tables)})"
    elif quorum > ask > 0:
        yield f"sites.quorum: {quorum} is more than are asked (sites.ask = {ask})"


def _mail_contradictions(smtp: Any) -> Iterator[str]:
    if not isinstance(smtp, dict):
        return
    if smtp.get("host") and not smtp.get("from"):
        yield "smtp.from: is missing; it is who mails come from"
    passwords = [key for key in ("password", "password_file") if smtp.get(key)]
    if len(passwords) == 2:
        yield "smtp.password_file: there is a password already"
    elif bool(passwords) != bool(smtp.get("user")):
        yield f"smtp.{passwords[0]}: there is no user" if passwords else "smtp.user: there is no password"


def _asked_at(url: str) -> str:
    """Where a verifier at `url` is asked, in one spelling. One verifier under two names would have two votes."""
    try:
        there = target(question_url(url))
    except BadUrl:
        return url
    return f"{there.scheme}://{there.host.rstrip('.')}:{there.port}{there.path}"


def _count(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


# --- texts with a form of their own -------------------------------------------------------------------------------


def _text(wanted: type, value: Any) -> Any:
    """A text from a TOML value; msgspec asks for the types that it does not know itself."""
    return _FORMS[wanted](value)


def _url(value: Any) -> Url:
    if not isinstance(value, str) or (value and not _is_url(value)):
        raise ValueError(f'expected an address such as "https://ping.example.org", got {value!r}')
    return Url(value)


def _domain(value: Any) -> Domain:
    try:
        return Domain(value if value == "" else domain_names.domain(value))
    except (AttributeError, ValueError):
        raise ValueError(f'expected a domain name such as "ping.example.org", got {value!r}') from None


def _page(value: Any) -> Page:
    if not isinstance(value, str) or "#" in value or not _is_good(page, value):
        raise ValueError(f'expected a URL such as "https://www.example.org/", got {value!r}')
    return Page(value)


def _peer_url(value: Any) -> PeerUrl:
    if not isinstance(value, str) or not _is_good(question_url, value):
        raise ValueError(f'expected an address such as "https://verifier.example.org:8100", got {value!r}')
    return PeerUrl(value)


def _is_good(read: Callable[[str], object], url: str) -> bool:
    try:
        read(url)
    except BadUrl:
        return False
    return True


def _secrets(value: Any) -> Secrets:
    if isinstance(value, list) and not value:
        raise ValueError("there is no secret in it")
    return Secrets(map(_secret, value if isinstance(value, list) else [value]))


def _secret(value: Any) -> SecretSetting:
    """The text of an error never quotes it."""
    if not isinstance(value, str) or not value.startswith("whsec_"):
        raise ValueError("expected a secret that begins with whsec_")
    secret(value)
    return SecretSetting(value)


def _mailbox(value: Any) -> Mailbox:
    try:
        return Mailbox(value and mailbox(value))
    except (TypeError, ValueError, AttributeError):
        raise ValueError(f'expected an address such as "pingmon <alerts@example.org>", got {value!r}') from None


def _password(value: Any) -> Password:
    """The text of an error never quotes it."""
    if not isinstance(value, str):
        raise ValueError("expected a text in quotes")
    return Password(value)


def _network(value: Any) -> Network:
    if not isinstance(value, str):
        raise ValueError(f'expected a network such as "192.168.0.0/16", got {value!r}')
    try:
        ip_network(value)
    except ValueError:
        raise ValueError(f'{value!r} is not a network such as "192.168.0.0/16" or "fd00::/8"') from None
    return Network(value)


def _program(value: Any) -> Program:
    if not isinstance(value, str) or not value.startswith("/"):
        raise ValueError(f"expected the absolute path of a program, got {value!r}")
    return Program(value)


def _proxies(value: Any) -> Proxies:
    return Proxies(value if value == "unix" else _network(value))


_FORMS: Final[dict[type, Callable[[Any], Any]]] = {
    Program: _program,
    Proxies: _proxies,
    Network: _network,
    Mailbox: _mailbox,
    Password: _password,
    Domain: _domain,
    Url: _url,
    Page: _page,
    PeerUrl: _peer_url,
    SecretSetting: _secret,
    Secrets: _secrets,
}
