"""gunicorn's settings, from contactapp's own, so that plain `gunicorn wsgi:app` is complete."""

import logging
import sys
from itertools import count
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # also where contactapp is not installed

from gunicorn import util
from gunicorn.glogging import Logger

from contactapp import create_app, logs, metrics, serving, share_instance, startup
from contactapp.beside import WorkerBeside
from contactapp.closing import Closing
from contactapp.config import ConfigError, load
from contactapp.envelope import refusal
from contactapp.startup import StartError

try:
    _settings = load()
except ConfigError as _error:
    sys.exit(f"contactapp: {_error}")

_counts = metrics.folder_of(_settings.instance_path)

bind = _settings.bind
workers = _settings.workers
threads = _settings.threads
worker_connections = 1000 + threads  # those with a thread, and those kept open without one
# Threads, because bcrypt releases the interpreter lock: with sync workers four people who sign in
# bring everybody else's requests to a halt.
worker_class = "gthread"
keepalive = 75
timeout = 60
graceful_timeout = 30
umask = 0o077
certfile = _settings.tls_cert and str(_settings.tls_cert)
keyfile = _settings.tls_key and str(_settings.tls_key)
# Who may say X-Forwarded-Proto; gunicorn's own default trusts every local process.
forwarded_allow_ips = ",".join(map(str, _settings.trusted_proxies))
control_socket_disable = True
proc_name = "contactapp"


class _Log(Logger):
    """Without the log of requests, which gunicorn would put together for every one: their queries
    hold people's names."""

    access_log_enabled = False


logger_class = _Log
logconfig_dict = logs.configuration() if _settings.is_production else {}


def _without_queries(record):
    """gunicorn quotes a request that it cannot read or serve, with whatever its query holds."""
    message = str(record.msg)
    if message.startswith("Invalid request from"):
        record.msg = message.partition(": ")[0]
    elif message.startswith("Error handling request %s"):
        record.args = tuple(str(part).partition("?")[0] for part in record.args)
    return True


logging.getLogger("gunicorn.error").addFilter(_without_queries)


def _refuse(connection, status, _reason, _message):
    """In the place of gunicorn's own page, which is HTML, quotes the request and has no headers."""
    util.write_nonblock(connection, refusal(status, over_tls=certfile is not None))


util.write_error = _refuse


def on_starting(server):
    """Prepare the database before the first worker; in production refuse what is not prepared."""
    try:
        share_instance(_settings)
        app = create_app(_settings)
        if not _settings.is_production:
            startup.upgrade(app)
        startup.check(app)
    except StartError as error:
        sys.exit("contactapp does not start:\n" + "\n".join(f"  {r}" for r in error.reasons))


def when_ready(server):
    """Start the job worker; say where the documentation is, and a first request to paste."""
    metrics.begin(_counts)  # not before: a second server that finds the port taken ends up to here
    if _settings.job_worker and not _settings.celery_broker_url:
        server.job_worker = WorkerBeside()
        server.job_worker.start()
    if not _settings.is_production:
        print(startup.greeting(_settings), flush=True)


def on_reload(server):
    """The job worker comes back with what the web workers come back with."""
    if hasattr(server, "job_worker"):
        server.job_worker.restart()


def on_exit(server):
    """Jobs that were begun are finished."""
    if hasattr(server, "job_worker"):
        server.job_worker.stop()


def pre_fork(server, worker):
    """Give the worker the first place that is free."""
    taken = {other.place for other in server.WORKERS.values()}
    worker.place = next(f"web-{n}" for n in count(1) if f"web-{n}" not in taken)


def child_exit(server, worker):
    """What it had in memory is gone."""
    metrics.gone(_counts, worker.place)


def post_fork(server, worker):
    """Count with the others.

    A thread in the middle of a long search gives way to the others after half a millisecond, not
    after Python's five: a short request asks for the interpreter several times, once per statement.
    """
    sys.setswitchinterval(0.0005)
    metrics.share(_counts, worker.place)


def post_worker_init(worker):
    """Who waits for changes is answered when the worker is told to end; for who does not hang up
    waits a thread, and not the one that takes the worker's connections."""
    serving.ends_when(lambda: not worker.alive)
    util.close_graceful = Closing().close
