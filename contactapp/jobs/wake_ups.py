"""How Celery is spoken to, and the wake-ups: a job's number, sent when the job is on the disk.

A wake-up is a hint. The row alone says what is to be done and who holds it, so one that is lost is
made up for by the scan, and one that comes twice finds nothing to do. Only with a broker in the
settings is any of this imported.
"""

from __future__ import annotations

import logging
import os
import ssl
import threading
import time
from queue import Full, Queue
from typing import Any

import kombu
from celery import Celery, Task

log = logging.getLogger("contactapp")

# The scan has a queue of its own, or it would wait behind ten thousand jobs.
JOBS, SCANS = "contactapp.jobs", "contactapp.scans"
DO, SCAN = "contactapp.do", "contactapp.scan"
SCAN_SECONDS = 2.0
TIMEOUT = 2.0  # seconds to connect, and for an answer
PAUSE = 5.0  # seconds after a failure, in which nothing is tried
_SILENCE = 60.0  # seconds between two complaints of a process
_MOST = 1000  # wake-ups that wait to be sent; the scan sees to the others

# kombu would accept any certificate unless it is told not to. What the URL says goes before.
_TLS = {
    "rediss": {"ssl_cert_reqs": ssl.CERT_REQUIRED},
    "amqps": {"cert_reqs": ssl.CERT_REQUIRED, "server_hostname": None},  # None: the URL's
}


class QueuedTask(Task):
    """A task that only a worker does, whatever `task_always_eager` says."""

    abstract = True

    def apply(self, *_args: Any, **_options: Any) -> None:
        raise RuntimeError("a job is never done where it was asked for")


def new_celery(url: str) -> Celery:
    """Celery with this broker, as the web servers, beat and the workers all have it."""
    celery = Celery("contactapp", broker=url, task_cls=QueuedTask, set_as_current=False)
    celery.conf.update(
        accept_content=["json"],  # a pickle would run whatever its sender likes
        task_serializer="json",
        result_backend=None,
        task_ignore_result=True,
        task_always_eager=False,
        task_acks_late=True,
        worker_prefetch_multiplier=1,
        task_queues=[kombu.Queue(name, routing_key=name) for name in (JOBS, SCANS)],
        task_default_queue=JOBS,
        task_routes={SCAN: {"queue": SCANS}},
        task_publish_retry=False,
        broker_use_ssl=_TLS.get(url.partition(":")[0]),
        # Redis sends again what was not done by then; whoever has the job is not disturbed by it.
        broker_transport_options={"visibility_timeout": 600} if url.startswith("redis") else {},
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,  # a worker waits for its broker for ever
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_enable_remote_control=False,  # by which whoever reaches the broker could stop it
    )
    return celery


class WakeUps:
    """Sends them from a thread of its own, so that nobody who writes waits for the broker."""

    def __init__(self, celery: Celery) -> None:
        self._celery = celery
        self._lock = threading.Lock()
        self._process = 0
        self._ids: Queue[int]

    def send(self, job_id: int) -> None:
        """Have a worker woken, if the broker answers and the others that wait are not too many."""
        try:
            if self._process != os.getpid():  # threads do not come over a fork
                self._begin()
            self._ids.put_nowait(job_id)
        except (Full, RuntimeError):  # RuntimeError: the system gives no more threads
            pass

    def _begin(self) -> None:
        with self._lock:
            if self._process == os.getpid():
                return
            self._ids = Queue(_MOST)
            threading.Thread(target=self._work, name="wake-ups", daemon=True).start()
            self._process = os.getpid()

    def _work(self) -> None:
        while True:
            try:
                self._send_all()
            except Exception as error:  # kombu's, redis's and the system's are all of one kind here
                complain(error)
                time.sleep(PAUSE)

    def _send_all(self) -> None:
        options = {"socket_connect_timeout": TIMEOUT, "socket_timeout": TIMEOUT}
        if not self._celery.conf.broker_url.startswith("redis"):
            options = {"read_timeout": TIMEOUT, "write_timeout": TIMEOUT}
        with self._celery.connection_for_write(
            connect_timeout=TIMEOUT, transport_options=options
        ) as connection:
            connection.connect()
            with self._celery.amqp.Producer(connection) as producer:
                while True:
                    tell(self._celery, self._ids.get(), producer)


_complained = -_SILENCE


def complain(error: Exception) -> None:
    """Say that the broker does not answer, once a minute."""
    global _complained
    if time.monotonic() - _complained >= _SILENCE:
        _complained = time.monotonic()
        log.warning(
            "the broker of CONTACTAPP_CELERY_BROKER_URL cannot be told of jobs (%s); "
            "a scan will find them",
            type(error).__name__,
        )


def tell(celery: Celery, job_id: int, producer: Any = None) -> None:
    """Send one wake-up. Raises whatever the broker's client does."""
    celery.send_task(DO, (job_id,), queue=JOBS, producer=producer, retry=False, ignore_result=True)


def waiting(connection: kombu.Connection, queue: str) -> int:
    """How many messages a queue holds."""
    bound = kombu.Queue(queue, routing_key=queue)(connection.default_channel)
    return bound.queue_declare().message_count
