"""Command lines as records show them: without passwords, keys and tokens.

A value is hidden where its name says that it is a secret (`--api-key V`, `--api-key=V`,
`HF_TOKEN=V`, `"password": "V"`), in the user part of a URL, and where it has the form of a
provider's token. In doubt it is hidden: a record is read by more people than a command line.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

HIDDEN = "***"

SECRET_WORDS = {"auth", "authorization", "bearer", "cookie", "key", "pass", "pat", "pwd", "sas"}
"""Words that make a name that of a secret where they are its last word: AWS_SECRET_ACCESS_KEY."""

SECRET_ENDS = (
    "apikey",
    "accesskey",
    "credential",
    "credentials",
    "passphrase",
    "passwd",
    "password",
    "secret",
    "secrets",
    "token",
)
"""Ends of words that do so wherever the word stands: client_secret_value, hftoken, "tokens" not."""

SHORT_USERS = ("-u", "--user", "--proxy-user")
"""Options whose value is user:password, as of curl."""

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")

_URL = re.compile(r"(?<=://)[^/\s@]+(?=@)")

_NAME = re.compile(
    r"""(?P<option>--?[A-Za-z][A-Za-z0-9_.\-]*)\s+(?!-)|(?P<name>[A-Za-z0-9_.\-]+)["']?\s*[=:]\s*"""
)
"""A name in a text and what stands between it and its value: an option, or = and : after a name."""

_VALUE = re.compile(
    r"""(?:(?:bearer|basic|token)\s+)?"""
    r"""(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s"'&;|<>]+)""",
    re.IGNORECASE,
)

_TOKEN = re.compile(
    r"\b(?:hf_|sk-|pk-|gh[opsu]_|github_pat_|glpat-|xox[abp]-|AKIA|AIza|eyJ)[A-Za-z0-9_\-.]{12,}"
)
"""Tokens by the forms of Hugging Face, OpenAI, GitHub, GitLab, Slack, AWS and Google, and JWTs."""


def masked(arguments: Sequence[str]) -> str:
    """A command line as one text, its secrets hidden.

    masked(["train", "--api-key", "abc", "HF_TOKEN=abc"]) is "train --api-key *** HF_TOKEN=***".
    """
    shown: list[str] = []
    before = ""
    for argument in arguments:
        named = before.startswith("-") and "=" not in before and is_secret(before)
        if named and not argument.startswith("-"):
            shown.append(HIDDEN)
        elif before in SHORT_USERS and ":" in argument:
            shown.append(f"{argument.partition(':')[0]}:{HIDDEN}")
        else:
            shown.append(_masked(argument))
        before = argument
    return " ".join(shown)


def is_secret(name: str) -> bool:
    """Whether the value of an option or a variable of this name is a secret."""
    words = [word.lower() for word in _WORD.findall(name)]
    return bool(words) and (
        words[-1] in SECRET_WORDS or any(word.endswith(SECRET_ENDS) for word in words)
    )


def _masked(argument: str) -> str:
    """One argument: NAME=VALUE, "Name: value", or any text, as of `sh -c`."""
    for mark in ("=", ": "):
        name, equals, value = argument.partition(mark)
        if equals and " " not in name and is_secret(name):
            return f"{name}{equals}{HIDDEN if value else ''}"
    return _TOKEN.sub(HIDDEN, _without_values(_URL.sub(HIDDEN, argument)))


def _without_values(text: str) -> str:
    """A text without the values of the names of secrets in it."""
    shown, end = [], 0
    for match in _NAME.finditer(text):
        if match.start() < end or not is_secret(match["option"] or match["name"]):
            continue
        value = _VALUE.match(text, match.end())
        if value is not None:
            shown += [text[end : match.end()], HIDDEN]
            end = value.end()
    return "".join([*shown, text[end:]])
