# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What surrounds a script that the extension runs: environment, umask and working folder.

The extension inherits the agent's own environment and a few variables on top. Source: azurelinuxagent/ga/exthandlers.py
in Azure/WALinuxAgent, ``ExtHandlerInstance.launch_command``.
"""

import re
from typing import Dict, NamedTuple, Optional

from .files import FOUND, read_head
from .wire_server import ADDRESS

# What systemd gives a service that asks for nothing. There is no HOME, USER or LOGNAME.
_SERVICE = {
    "LANG": "C.UTF-8",
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
}
_UMASK = re.compile(rb"^Umask:\s+([0-7]{3,4})$", re.MULTILINE)


class AgentEnvironment(NamedTuple):
    environment: Dict[str, str]
    umask: int
    folder: str
    from_agent: bool  # taken from the running agent, not from what its service usually has


def surroundings(
    agent_pid: Optional[int], handler_folder: Optional[str], version: Optional[str], sequence: Optional[int], proc: str
) -> AgentEnvironment:
    environment: Dict[str, str] = dict(_SERVICE)
    umask = 0o022
    from_agent = False
    if agent_pid is not None:
        file = read_head(proc, "{0}/environ".format(agent_pid), 1 << 17)
        if file.state == FOUND and file.data:
            pairs = [pair.partition(b"=") for pair in file.data.split(b"\0")]
            environment = {
                name.decode("utf-8", "surrogateescape"): value.decode("utf-8", "surrogateescape")
                for name, equals, value in pairs
                if name and equals
            }
            from_agent = True
        found = _UMASK.search(read_head(proc, "{0}/status".format(agent_pid), 1 << 14).data)
        if found:
            umask = int(found.group(1), 8)
    environment.update(
        {
            "AZURE_GUEST_AGENT_EXTENSION_PATH": handler_folder or "",
            "AZURE_GUEST_AGENT_EXTENSION_SUPPORTED_FEATURES": '[{"Key": "ExtensionTelemetryPipeline", "Value": "1.0"}]',
            "AZURE_GUEST_AGENT_EXTENSION_VERSION": version or "",
            "AZURE_GUEST_AGENT_UNINSTALL_CMD_EXIT_CODE": "NOT_RUN",
            "AZURE_GUEST_AGENT_WIRE_PROTOCOL_ADDRESS": ADDRESS,
            "ConfigSequenceNumber": str(sequence if sequence is not None else 0),
        }
    )
    return AgentEnvironment(environment, umask, handler_folder or "/", from_agent)
