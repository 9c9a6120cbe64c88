"""What a guest is, in plain values: written by the host's side, read by the process that becomes the guest."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class GuestSpec:
    name: str
    # Everything of the guest on the host's side: keys, logs, image, copies, sockets.
    folder: str
    engine: str | None
    filesystem: str
    project: str
    interpreter: str
    # Seconds of the extension's fixed sleeps and of its limits, as parts of the documented ones.
    waits: float
    limits: float
    # Folders of the guest that lie on the data file system, and so freeze with it.
    frozen_folders: tuple[str, ...]
    server_options: tuple[str, ...]
    ssh_listener: int
    service_listener: int

    @property
    def image(self) -> Path:
        return Path(self.folder) / "disk.img"

    @property
    def copies(self) -> Path:
        return Path(self.folder) / "copies"

    @property
    def run_folder(self) -> Path:
        return Path(self.folder) / "run"

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> GuestSpec:
        values = json.loads(text)
        values["frozen_folders"] = tuple(values["frozen_folders"])
        values["server_options"] = tuple(values["server_options"])
        return cls(**values)
