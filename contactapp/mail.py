"""Mail: composed from templates, sent over SMTP or, where no server is set, written to files.

Only jobs send. A template is `<name>.txt`, its first line the subject, and may have a `<name>.html`
beside it; one of the same name in `<instance>/templates/mail/` takes its place.
"""

from __future__ import annotations

import os
import re
import smtplib
import time
import uuid
from email import policy
from pathlib import Path
from typing import Any

from flask import Flask, current_app
from flask_mail import Connection, Message
from jinja2 import (
    ChoiceLoader,
    Environment,
    FileSystemLoader,
    PackageLoader,
    StrictUndefined,
    TemplateNotFound,
    select_autoescape,
)

from .config import Settings, settings
from .extensions import mail

TIMEOUT = 15.0  # seconds for each answer of the SMTP server


_ONE_ADDRESS = re.compile(r"[^\s,;<>@\x00-\x1f]+@[^\s,;<>@\x00-\x1f]+")

# What `contactapp mail preview` fills in.
EXAMPLE = {
    "name": "Ada Lovelace",
    "link": "https://contacts.example.org/account/reset?token=1-example",
    "code": "123456",
    "minutes": 30,
    "code_minutes": 15,
    "host": "receiver.example.org",
    "reason": "failing",
}


class SeveralRecipients(ValueError):
    """A message is for exactly one person."""


def init_app(app: Flask, given: Settings) -> None:
    """Configure Flask-Mail and the templates."""
    app.config.update(
        MAIL_SERVER=given.mail_server or "",
        MAIL_PORT=given.mail_port,
        MAIL_USERNAME=given.mail_username,
        MAIL_PASSWORD=given.mail_password,
        MAIL_USE_TLS=given.mail_use_tls,
        MAIL_DEFAULT_SENDER=given.mail_sender,
        MAIL_SUPPRESS_SEND=False,
    )
    mail.init_app(app)
    for name in ("MAIL_USERNAME", "MAIL_PASSWORD"):
        del app.config[name]  # Flask-Mail has them; whoever prints the configuration shall not
    app.extensions["contactapp.mail_templates"] = Environment(
        loader=ChoiceLoader(
            [
                FileSystemLoader(given.instance_path / "templates" / "mail"),
                PackageLoader("contactapp", "mail_templates"),
            ]
        ),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )


def names() -> list[str]:
    """The mails that there are."""
    folder = Path(__file__).parent / "mail_templates"
    return sorted(path.stem for path in folder.glob("*.txt"))


def compose(template: str, to: str, /, **values: Any) -> Message:
    """The message of a template to one address. What comes from people is text in it: a line break
    in the subject is a space. Raises SeveralRecipients for what is not one bare address: mail
    programs take `a@b.c, d@e.f` in one field for two."""
    if not _ONE_ADDRESS.fullmatch(to):
        raise SeveralRecipients("a message has one recipient")
    environment: Environment = current_app.extensions["contactapp.mail_templates"]
    about = {"base_url": settings().base_url, "to": to, **values}
    first, _, body = environment.get_template(f"{template}.txt").render(about).partition("\n")
    subject = " ".join(first.removeprefix("Subject:").split())
    try:
        html = environment.get_template(f"{template}.html").render(about)
    except TemplateNotFound:
        html = None
    return Letter(subject=subject, recipients=[to], body=body.lstrip("\n"), html=html)


def send(message: Message) -> Path | None:
    """Send it, or write it to `<instance>/outbox/` where no mail server is set; then its path.

    Raises OSError, of which smtplib's exceptions are.
    """
    if settings().mail_server is None:
        return _written(message.as_bytes())
    with _Connection(current_app.extensions["mail"]) as connection:
        connection.send(message)
    return None


class Letter(Message):
    """Flask-Mail's, also to mailboxes whose names are not ASCII (RFC 6532): it writes none."""

    def as_bytes(self) -> bytes:
        """What goes over the wire."""
        to = _address(self)
        if _is_ascii(to):
            return super().as_bytes()
        written = Message(self.subject, ["elsewhere@invalid"], self.body, self.html)
        written.msgId, written.date = self.msgId, self.date
        message = written._message()
        del message["To"]
        message.policy = policy.SMTPUTF8
        message["To"] = to
        return message.as_bytes()


def _address(message: Message) -> str:
    """The one recipient."""
    [to] = message.recipients
    return str(to)


def _is_ascii(address: str) -> bool:
    """Whether Flask-Mail can write it; of domains it writes any."""
    return address.rpartition("@")[0].isascii()


class _Connection(Connection):
    """Flask-Mail's, with a timeout: its own waits for ever."""

    def send(self, message: Message, envelope_from: Any = None) -> None:
        """Send it; SMTPNotSupportedError where the server takes no such address (RFC 6531)."""
        to = _address(message)
        if self.host is None or _is_ascii(to):
            super().send(message, envelope_from)
        else:
            sender = settings().mail_sender
            self.host.sendmail(sender, to, message.as_bytes(), ["SMTPUTF8"])

    def configure_host(self) -> smtplib.SMTP:
        host = smtplib.SMTP(self.mail.server, self.mail.port, timeout=TIMEOUT)
        if self.mail.use_tls:
            host.starttls()
        if self.mail.username and self.mail.password:
            host.login(self.mail.username, self.mail.password)
        return host


def _written(raw: bytes) -> Path:
    outbox = settings().instance_path / "outbox"
    outbox.mkdir(mode=0o700, exist_ok=True)
    path = outbox / f"{time.strftime('%Y%m%d-%H%M%S')}-{uuid.uuid4().hex[:8]}.eml"
    unfinished = path.with_suffix(".part")
    unfinished.write_bytes(raw)
    os.replace(unfinished, path)
    return path
