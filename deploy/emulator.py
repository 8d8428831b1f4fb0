"""Ministack, a single-process AWS emulator, on its own loopback port.

It reads the template, runs the functions' bootstrap files as processes, and polls the event source mappings. For its
limits, see `deployable` below and docs/deploying.md.
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

START_WITHIN_SECONDS = 60
STOP_WITHIN_SECONDS = 10


class Emulator:
    """The running emulator, as a context manager: leaving it stops the emulator and every function it runs."""

    def __enter__(self):
        self.directory = tempfile.TemporaryDirectory(prefix="rehearsal-")
        self.log = Path(self.directory.name, "emulator.log")
        port = free_port()
        self.endpoint = f"http://127.0.0.1:{port}"
        environment = dict(
            os.environ, GATEWAY_PORT=str(port), BIND_HOST="127.0.0.1", AWS_ENDPOINT_URL=self.endpoint,
            MINISTACK_HOST="127.0.0.1", TMPDIR=self.directory.name, HOME=self.directory.name)
        program = Path(sys.executable).parent / "ministack"
        with open(self.log, "wb") as log:
            # Its own process group, so that stopping it also stops the functions' processes.
            self.process = subprocess.Popen(
                [program], env=environment, cwd=self.directory.name, stdout=log, stderr=log, start_new_session=True)
        try:
            self.wait_until_healthy()
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def wait_until_healthy(self):
        deadline = time.monotonic() + START_WITHIN_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"the emulator exited with code {self.process.returncode}")
            try:
                with urllib.request.urlopen(f"{self.endpoint}/_ministack/health", timeout=5) as answer:
                    if answer.status == 200:
                        return
            except OSError:
                time.sleep(0.2)
        raise RuntimeError(f"the emulator was not healthy after {START_WITHIN_SECONDS} s")

    def __exit__(self, kind, error, trace):
        if kind is not None:
            print(f"\nthe rehearsal failed ({error}); the end of the emulator's log:\n{self.log_tail()}", flush=True)
        for sent in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, sent)
                self.process.wait(STOP_WITHIN_SECONDS)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue
        self.directory.cleanup()

    def log_tail(self, lines=40):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def deployable(template):
    """`template` in a form that this emulator accepts, and the names of the resources changed for it.

    It does not support metric math in alarms, so such alarms watch only their first metric. The linters check that they
    are valid; the emulator never evaluates an alarm.
    """
    changed = []
    for name, resource in template["Resources"].items():
        metrics = resource["Properties"].pop("Metrics", None) if resource["Type"] == "AWS::CloudWatch::Alarm" else None
        if metrics:
            first = next(metric["MetricStat"] for metric in metrics if "MetricStat" in metric)
            resource["Properties"].update(first["Metric"], Statistic=first["Stat"], Period=first["Period"])
            changed.append(name)
    return template, changed
