"""vCards: 2.1, 3.0 (RFC 2426) and 4.0 (RFC 6350) are read, 3.0 and 4.0 written."""

from .reading import read
from .writing import write

__all__ = ["read", "write"]
