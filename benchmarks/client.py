"""The bundled client: keep-alive connections in a process of its own, where wrk is missing.

Reads {host, port, connections, seconds, request} as JSON from stdin; prints {status: count} and
the seconds it took. It always waits for the answers to what it sent. After a 503 a connection
pauses, as Retry-After asks, so that refusals do not become the load.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter

_PAUSE = 0.1


async def _answer(reader: asyncio.StreamReader) -> int:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    status, length = int(head[0].split()[1]), 0
    for line in head[1:]:
        name, _, value = line.partition(":")
        if name.lower() == "content-length":
            length = int(value)
        elif name.lower() == "transfer-encoding":
            raise ValueError("a chunked answer cannot be measured")
    if status not in (204, 304):
        await reader.readexactly(length)
    return status


async def _ask(host: str, port: int, request: bytes, until: float, counts: Counter[int]) -> None:
    reader = writer = None
    while time.monotonic() < until:
        if reader is None or writer is None:
            reader, writer = await asyncio.open_connection(host, port)
        writer.write(request)
        try:
            status = await _answer(reader)
        except (asyncio.IncompleteReadError, ConnectionError):
            counts[0] += 1  # the server closed: shown as a failure
            reader = writer = None
            continue
        counts[status] += 1
        if status == 503:
            await asyncio.sleep(_PAUSE)
    if writer is not None:
        writer.close()


async def run(
    host: str, port: int, connections: int, seconds: float, request: bytes
) -> tuple[Counter[int], float]:
    """Send the request again and again; how often each status came, and in how many seconds."""
    counts: Counter[int] = Counter()
    start = time.monotonic()
    asks = [_ask(host, port, request, start + seconds, counts) for _ in range(connections)]
    await asyncio.gather(*asks)
    return counts, time.monotonic() - start


def main() -> None:
    """Do what stdin says."""
    job = json.load(sys.stdin)
    job["request"] = job["request"].encode()
    counts, seconds = asyncio.run(run(**job))
    json.dump({"counts": counts, "seconds": seconds}, sys.stdout)


if __name__ == "__main__":
    main()
