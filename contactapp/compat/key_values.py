"""User management with key-value data: `/api/register`, `/api/token`, `/api/data`."""

from __future__ import annotations

from .system import System
from .told import with_message

key_values = System("key-values", ("/api",), with_message)
