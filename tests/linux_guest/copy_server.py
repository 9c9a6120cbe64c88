"""Starts a server on a copy of a disk, reads everything, has the engine check it, and stops the server.

Run as a program in a mount namespace of its own: ENGINE IMAGE FILESYSTEM. Prints one JSON object.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from . import images, kernel
from .engines import ENGINES, Engine, Finding

_START_SECONDS = 60.0
_STOP_SECONDS = 60.0
_LOG_CHARACTERS = 6000
_COVERED = Path("/mnt")


class _CopyServer:
    """Inside a mount namespace of its own."""

    def __init__(self, engine: Engine, image: Path, filesystem: str) -> None:
        self._engine = engine
        # A database account must be able to reach the folders, wherever the image lies.
        kernel.mount("tmpfs", _COVERED, "tmpfs", options="mode=755")
        self._disk, self._run, self._log = _COVERED / "disk", _COVERED / "run", _COVERED / "log"
        images.mount_image(image, self._disk, filesystem)
        self._run.mkdir(mode=0o755)
        shutil.chown(self._run, engine.user, engine.user)

    def look(self) -> dict[str, object]:
        findings = self._engine.check_before_start(self._disk)
        rows: dict[str, list[tuple[int, int]]] = {}
        with self._log.open("wb") as log:
            user = self._engine.server_account
            server = subprocess.Popen(
                self._engine.copy_command(self._disk, self._run),
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                user=user,
                group=user,
                extra_groups=None if user is None else [],
            )
        try:
            started = self._wait(server)
            if started:
                try:
                    findings += self._engine.check_server(self._run)
                    rows = self._engine.read_ledger(self._run)
                except RuntimeError as error:
                    findings.append(Finding("reading all rows", False, str(error)))
        finally:
            server.terminate()
            try:
                server.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
        if started:
            findings += self._engine.check_after_stop(self._disk)
        text = self._log.read_text(errors="replace")
        return {"started": started, "rows": rows, "findings": findings, "log": text[-_LOG_CHARACTERS:]}

    def _wait(self, server: subprocess.Popen[bytes]) -> bool:
        deadline = time.monotonic() + _START_SECONDS
        while server.poll() is None and time.monotonic() < deadline:
            if self._engine.execute(self._engine.ready_command(self._run)).returncode == 0:
                return True
            time.sleep(0.05)
        return False


def _main(engine: str, image: Path, filesystem: str) -> None:
    os.umask(0o022)
    json.dump(_CopyServer(ENGINES[engine], image, filesystem).look(), sys.stdout)


if __name__ == "__main__":
    _main(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
