"""The authenticated contacts API: `/register`, `/token`, `/contacts`."""

from __future__ import annotations

from .system import System
from .told import with_message

contacts_api = System("contacts-api", ("/register", "/token", "/contacts"), with_message)
