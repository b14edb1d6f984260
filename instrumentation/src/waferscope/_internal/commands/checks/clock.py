"""This host's clock, against the Date of the answers."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from ipaddress import ip_address

from waferscope._internal.commands.checks.finding import Finding
from waferscope._internal.commands.checks.http import Answer

_TOLERATED = 2.0  # s: what heartbeats, traces of several hosts and the order of events put up with


def check(answers: list[tuple[str, Answer]]) -> Iterator[Finding]:
    """Compare the clocks.

    Args:
        answers: By the host that they came from.
    """
    others: dict[str, list[Answer]] = {}
    for host, answer in answers:
        if answer.date is not None and not _is_here(host):
            others.setdefault(host, []).append(answer)
    if not others:
        yield Finding("note", "clock", "no other host has answered to compare it with", "name the writer by --writer")
    for host, theirs in others.items():
        least, most = offset(theirs)
        if least > _TOLERATED or most < -_TOLERATED:
            text = f"this host is {abs(least + most) / 2:.1f} s {'behind' if least > 0 else 'ahead of'} {host}"
            yield Finding("warn", "clock", text, "let NTP or PTP (chrony) set the clock of both")
        else:
            yield Finding("ok", "clock", f"within {max(abs(least), abs(most)):.1f} s of {host}")


def offset(answers: list[Answer]) -> tuple[float, float]:
    """Bound how far the other clock is ahead of ours, s: each answer was made between sending and receiving.

    Args:
        answers: Of one host, each with a date, cut to the whole second (RFC 9110, 5.6.7).
    """
    bounds = [
        (answer.date - answer.received, answer.date + 1 - answer.sent) for answer in answers if answer.date is not None
    ]
    least, most = max(low for low, _ in bounds), min(high for _, high in bounds)
    return (least, most) if least <= most else (most, least)  # a clock was set between two answers


def _is_here(host: str) -> bool:
    if host in ("localhost", socket.gethostname()):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
