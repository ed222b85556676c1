"""The thread that keeps a job worker beside the web workers."""

import subprocess
import sys
import threading

from contactapp import beside


def test_it_tries_again_where_no_process_can_be_started(monkeypatch, caplog):
    started, tries = threading.Event(), []
    genuine = subprocess.Popen

    def begin(_command, **_options):
        tries.append(1)
        if len(tries) == 1:
            raise BlockingIOError("Resource temporarily unavailable")
        process = genuine([sys.executable, "-c", "import signal; signal.pause()"])
        started.set()
        return process

    monkeypatch.setattr(beside.subprocess, "Popen", begin)
    monkeypatch.setattr(beside, "_FIRST_PAUSE", 0.01)
    worker = beside.WorkerBeside()
    worker.start()
    assert started.wait(10)
    worker.stop()
    worker._watcher.join(10)
    assert not worker._watcher.is_alive()
    assert "the job worker cannot be started" in caplog.text
