"""A channel: how it is named without its secrets, and how a notice goes out by it."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from assay.alert.command import run_command
from assay.alert.faults import unset
from assay.alert.mail import post_mail
from assay.alert.notice import Notice
from assay.alert.webhook import post_webhook
from assay.records.base import digest_of

_OWN = 8
"""Characters of a digest that tell two channels apart whose labels hide what differs."""


def label_of(to: str) -> str:
    """Return a name for a channel of the project file that can be shown and written down.

    The path of a URL and the words of a command may be secrets: a digest stands for them.
    """
    scheme, _, rest = to.partition(":")
    if scheme == "mail" or rest.startswith("$"):
        return to
    if scheme == "webhook":
        url = urlsplit(rest)
        shown = f"{url.scheme}://{url.netloc.rpartition('@')[2]}"
    else:
        shown = rest.split(maxsplit=1)[0] if rest.strip() else ""
    return f"{scheme}:{shown}#{digest_of(to.encode())[:_OWN]}"


def deliver(to: str, notice: Notice, environ: Mapping[str, str]) -> None:
    """Send a notice to `webhook:URL`, `webhook:$NAME`, `mail:ADDRESS` or `command:WORDS`.

    It was taken when this returns. `environ` has the secrets. Raises TransientFault where nobody
    answers or it is not taken, and UsageError for what a person has to mend first.
    """
    scheme, _, rest = to.partition(":")
    if scheme == "mail":
        post_mail(rest, notice, environ)
    elif scheme == "command":
        run_command(rest, notice, environ)
    elif rest.startswith("$"):
        url = environ.get(rest[1:], "")
        if not url:
            raise unset(rest[1:], "the address that alerts go to")
        post_webhook(url, notice, environ)
    else:
        post_webhook(rest, notice, environ)
