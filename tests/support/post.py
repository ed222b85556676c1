"""A real SMTP server that keeps what it is given, and letters as people read them."""

from __future__ import annotations

import re
import socket
import threading
import time
from email import policy
from email.parser import BytesParser
from urllib.parse import parse_qs, urlsplit

from aiosmtpd.controller import Controller


class Letter:
    """A received message."""

    def __init__(self, envelope):
        self.to = envelope.rcpt_tos
        self.raw = envelope.content
        self.message = BytesParser(policy=policy.default).parsebytes(self.raw)
        self.subject = self.message["Subject"]
        self.text = self.message.get_body(("plain",)).get_content()
        html = self.message.get_body(("html",))
        self.html = html and html.get_content()

    @property
    def link(self):
        """The one link in it."""
        [link] = re.findall(r"https?://\S+\?token=\S+", self.text)
        return link

    @property
    def path(self):
        """The link's path and query."""
        parts = urlsplit(self.link)
        return f"{parts.path}?{parts.query}"

    @property
    def token(self):
        return parse_qs(urlsplit(self.link).query)["token"][0]

    @property
    def code(self):
        [code] = re.findall(r"^\s*(\d{6})\s*$", self.text, re.MULTILINE)
        return code


class PostOffice:
    """The server on a free loopback port; `refuses` makes it answer 451 to every letter."""

    def __init__(self):
        self._letters = []
        self._arrived = threading.Condition()
        self.refuses = False
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._controller = Controller(
            self, hostname="127.0.0.1", port=self.port, enable_SMTPUTF8=True
        )
        self._controller.start()

    async def handle_DATA(self, _server, _session, envelope):
        if self.refuses:
            return "451 not now"
        with self._arrived:
            self._letters.append(Letter(envelope))
            self._arrived.notify_all()
        return "250 OK"

    def to(self, address):
        """The letters to an address, in the order of their coming."""
        with self._arrived:
            return [letter for letter in self._letters if letter.to == [address]]

    def wait(self, address, count=1, subject=""):
        """The newest of at least so many letters to an address with this in the subject."""
        until = time.monotonic() + 10
        with self._arrived:
            while True:
                found = [
                    letter
                    for letter in self._letters
                    if letter.to == [address] and subject in letter.subject
                ]
                if len(found) >= count:
                    return found[-1]
                left = until - time.monotonic()
                if left <= 0:
                    raise AssertionError(f"{len(found)} letters to {address}, not {count}")
                self._arrived.wait(left)

    def close(self):
        self._controller.stop()
