"""What the jobs of accounts do: write the letters, and issue the links that were asked for."""

from __future__ import annotations

import logging

from .. import mail
from ..config import settings
from ..jobs.service import Job
from ..users.service import read_owner
from . import links
from .links import CODE_MS, LIFETIMES_MS

log = logging.getLogger("contactapp")

_TEMPLATES = {"verify": "verify_email", "reset": "reset_password", "email": "change_email"}


def mail_link(job: Job) -> None:
    """Mail a link, unless it was spent or replaced meanwhile."""
    link = links.get(job.ref or 0)
    owner = read_owner(link.user_id) if link else None
    if link is None or owner is None or not link.is_live():
        return
    letter = mail.compose(
        _TEMPLATES[link.purpose],
        link.address(owner.key_id),
        name=owner.name,
        link=link.url,
        code=link.code,
        minutes=LIFETIMES_MS[link.purpose] // 60_000,
        code_minutes=CODE_MS // 60_000,
    )
    path = mail.send(letter)
    # A link opens an account, so no log says one where real people's mail is sent.
    if path is not None and not settings().is_production:
        log.warning("no mail server is set; %s is in %s: %s", link.purpose, path, link.url)


def mail_notice(job: Job) -> None:
    """Tell the owner that the password was changed."""
    owner = read_owner(job.user_id or 0)
    if owner is not None:
        mail.send(mail.compose("password_changed", owner.email, name=owner.name))


def mail_to_old_address(job: Job) -> None:
    """Tell the former address that the account has another."""
    told = links.get(job.ref or 0)
    owner = read_owner(told.user_id) if told else None
    if told is not None and owner is not None:
        mail.send(mail.compose("email_changed", told.address(owner.key_id), name=owner.name))
