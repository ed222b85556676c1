"""Users with avatars: `/auth`, `/contacts`."""

from __future__ import annotations

from .system import System
from .told import with_message

profiles = System("profiles", ("/auth", "/contacts"), with_message)
