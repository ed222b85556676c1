"""What every chain of changes begins with, and what of a row its links cover.

Apart from the models: who serves needs none of them, nor what SQLAlchemy loads for each engine that
an index names.
"""

GENESIS = b"\0" * 32
LINKED = (
    *("stream_id", "seq", "at", "actor_id", "token_id", "request_id", "operation_id", "entity"),
    *("entity_id", "op", "version", "changed_fields", "sealed_hash"),
)
