"""The site's writer: does it commit?"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from waferscope._internal.commands.checks.finding import Finding
from waferscope._internal.commands.checks.http import Answer, NoAnswerError, ask, at

_READY, _NOT_READY = 200, 503
_PORT = "14318"
_SHOWN = 200  # characters of its answer


def is_one(base: str) -> bool:
    """Tell whether the endpoint is a writer itself, not a Collector."""
    try:
        return ask(f"{base}/v1/readyz").status in (_READY, _NOT_READY)
    except NoAnswerError:
        return False


def check(host: str, base: str | None, answers: list[tuple[str, Answer]]) -> Iterator[Finding]:
    """Ask the writer whether it is ready.

    Args:
        host: Where it is looked for.
        base: Its URL, when it was named.
        answers: Gets the answers by host, for other checks.
    """
    url = f"{base.rstrip('/') if base else at(host, _PORT)}/v1/readyz"
    try:
        answer = ask(url)
    except NoAnswerError as error:
        advice = "start it, or correct its URL" if base else "hosts need not see it; name it by --writer to check it"
        yield Finding("fail" if base else "note", "writer", f"{url}: {error}", advice)
        return
    answers.append((urlsplit(url).hostname or "", answer))
    if answer.status == _READY:
        yield Finding("ok", "writer", f"{url}: it is ready")
        return
    said = " ".join(answer.body.decode(errors="replace").split())[:_SHOWN]
    yield Finding(
        "fail", "writer", f"{url} answers {answer.status}: {said}", "see docs/writer.md; the Collector keeps what comes"
    )
