"""The contact management app: `/api/users`, `/api/contacts`."""

from __future__ import annotations

from .system import System
from .told import with_message

contacts_app = System("contacts-app", ("/api/users", "/api/contacts", "/contacts"), with_message)
