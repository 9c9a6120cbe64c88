#!/usr/bin/python
# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: guest_snapshot_info
short_description: Tell what a guest knows about its snapshots, and what is wrong
version_added: 0.1.0
description:
  - Looks inside an Azure VM at everything that decides whether a restore point can be application-consistent, and at
    how the last one went. Changes nothing.
  - The portal shows "Provisioning succeeded" after a snapshot that failed, and a deployment of scripts that the
    extension refuses to run looks healthy. This module reads the extension's own code, its log and its configuration
    instead.
  - On Linux it looks at the guest agent (service, version, whether it may run extensions, its allow list), at the
    snapshot extension (folder, version, state, the Python that its start script finds), at the last run (from
    C(status/N.status) and from C(extension.log) together, with the time of each phase), at the configuration as the
    extension would take it, at knobs without effect in C(/etc/azure/vmbackup.conf), at C(workload.conf), and at what
    a freeze may have left behind.
  - On Windows it looks at the guest agent, the extension, its last run, and at what VSS needs.
  - Nothing that is missing, broken, cut short, huge or hostile makes it fail. That is reported as a finding.
author:
  - The appconsistent.azure authors (@appconsistent)
options:
  wire_server_timeout:
    description:
      - How many seconds to wait for an answer from Azure's host service at 168.63.129.16, ports 80 and 32526. The
        extension asks there for its snapshots. Nothing is sent.
      - From V(0) to V(60). V(0) leaves the probe out.
    type: float
    default: 2.0
extends_documentation_fragment:
  - appconsistent.azure.attributes.reads_only
attributes:
  action:
    description: Is implemented as an action plugin and runs in the controller's process.
    support: partial
    details: The part for Windows is; on Linux the module runs in the guest.
  platform:
    description: The operating systems that it works on.
    support: full
    platforms: linux, windows
notes:
  - Needs root on Linux (C(become)) and an elevated account on Windows. Without it, what could be read is returned
    together with the finding C(guest.not_root) or C(guest.not_elevated).
  - On Linux it needs Python 3.6 or newer and nothing else. C(extension.log) is read from its end, at most 8 MiB of it.
  - Symbolic links below C(/var/lib/waagent), C(/var/log/azure) and C(/etc/azure) are not followed. The extension's
    settings are not opened, because they hold secrets. Control characters, terminal escape sequences and the queries
    of URLs are taken out of all text from the guest.
  - Whether a file system is frozen cannot be asked without writing to it. What is returned below
    RV(guest_snapshot.extension.linux.freezing) is what can be seen from outside.
seealso:
  - module: appconsistent.azure.snapshot_rehearsal
  - module: appconsistent.azure.snapshot_scripts
"""

EXAMPLES = r"""
- name: Look at every Linux guest
  appconsistent.azure.guest_snapshot_info:
  become: true
  register: guest

- name: Show what is wrong and what to do
  ansible.builtin.debug:
    msg: "{{ item.severity }}: {{ item.message }} {{ item.remedy }}"
  loop: "{{ guest.guest_snapshot.findings }}"
  loop_control:
    label: "{{ item.code }}"

- name: Stop unless the last restore point was application-consistent
  ansible.builtin.assert:
    that:
      - guest.guest_snapshot.last_run is not none
      - guest.guest_snapshot.last_run.consistency_reached == 'application'
    fail_msg: "{{ guest.guest_snapshot.findings | map(attribute='message') | join(' ') }}"

- name: Where the host service must not be touched
  appconsistent.azure.guest_snapshot_info:
    wire_server_timeout: 0
  become: true
"""

RETURN = r"""
guest_snapshot:
  description:
    - What was found. Every key is always there; what is not known is null. Times are ISO 8601 in UTC, durations are
      seconds.
  returned: always
  type: dict
  contains:
    os:
      description: The kind of guest, V(linux) or V(windows). What exists on one of them only stands under a key of
        that name.
      type: str
      sample: linux
    verdict:
      description: The worst that was found, V(ok), V(warning) or V(error).
      type: str
      sample: warning
    agent:
      description: The Azure guest agent.
      type: dict
      contains:
        state:
          description: V(running), V(stopped), V(missing) or V(unknown).
          type: str
          sample: running
        service:
          description: The name of its service.
          type: str
          sample: walinuxagent
        version:
          description: The version that handles extensions; the agent updates itself.
          type: str
          sample: 2.15.0.1
        installed_version:
          description: The version that was installed as a package.
          type: str
          sample: 2.9.1.1
        last_seen:
          description: The last sign of life that it left.
          type: str
          sample: "2026-03-14T02:05:00Z"
        extensions_enabled:
          description: Whether it may run extensions at all.
          type: bool
          sample: true
        policy:
          description: Its allow list.
          type: dict
          contains:
            enabled:
              description: Whether it is switched on.
              type: bool
              sample: false
            file:
              description: Where it stands.
              type: str
              sample: /etc/waagent_policy.json
            allows_extension:
              description: Whether it lets the snapshot extension run.
              type: bool
              sample: true
        wire_server:
          description: >-
            For each port of Azure's host service V(open), V(refused), V(timed_out), V(unreachable) or V(not_probed).
          type: dict
          sample: {"80": open, "32526": open}
        linux:
          description: The process id, the program, the folders from C(waagent.conf), and whether the service is masked.
          returned: on Linux
          type: dict
          sample:
            lib_dir: /var/lib/waagent
            log_dir: /var/log/azure
            masked: false
            pid: 812
            program: /usr/sbin/waagent
    extension:
      description: The snapshot extension.
      type: dict
      contains:
        name:
          description: Its full name.
          type: str
          sample: Microsoft.Azure.RecoveryServices.VMSnapshotLinux
        installed:
          description: Whether a version is there that is not marked as uninstalled.
          type: bool
          sample: true
        version:
          description: The version that counts, the highest that is installed.
          type: str
          sample: 1.0.9216.0
        folder:
          description: Its folder.
          type: str
          sample: /var/lib/waagent/Microsoft.Azure.RecoveryServices.VMSnapshotLinux-1.0.9216.0
        state:
          description: The agent's word for it, V(Enabled), V(Installed), V(NotInstalled) or V(FailedUpgrade).
          type: str
          sample: Enabled
        status:
          description: What the agent reports to Azure, V(Ready) or V(NotReady).
          type: str
          sample: Ready
        code:
          description: The agent's code for it.
          type: int
          sample: 0
        message:
          description: The agent's message.
          type: str
          sample: Plugin enabled
        versions:
          description: All versions on disk, newest first.
          type: list
          elements: dict
          contains:
            version:
              description: The version.
              type: str
              sample: 1.0.9216.0
            folder:
              description: Its folder.
              type: str
              sample: /var/lib/waagent/Microsoft.Azure.RecoveryServices.VMSnapshotLinux-1.0.9216.0
            state:
              description: Its state.
              type: str
              sample: Enabled
        running:
          description: Whether a snapshot is being taken right now.
          type: bool
          sample: false
        linux:
          description: What exists on Linux only.
          returned: on Linux
          type: dict
          contains:
            python:
              description: The Python that the extension's start script will take.
              type: str
              sample: /usr/bin/python3
            wanted_sequence:
              description: The number of the newest settings that Azure sent.
              type: int
              sample: 17
            last_sequence:
              description: The number of the last settings that the extension worked on.
              type: int
              sample: 17
            reported_sequence:
              description: The number of the newest status file.
              type: int
              sample: 17
            freezing:
              description: >-
                What is seen of a freeze right now, without touching a file system. The mount points and processes of
                the freeze program, processes that sleep like writers to a frozen file system, and the extension's
                lock file.
              type: dict
              sample: {"mounts": [], "pids": [], "blocked_writers": [], "lock_file": false, "lock_holder": null}
    last_run:
      description: The last run of the extension. Null when no trace of one is left.
      type: dict
      contains:
        sequence:
          description: Its number.
          type: int
          sample: 17
        task:
          description: Azure's id of the task.
          type: str
          sample: 0d6b7c2e-1111-4c4c-9a9a-aaaaaaaaaaaa
        started:
          description: When it began.
          type: str
          sample: "2026-03-14T02:00:07Z"
        ended:
          description: When it ended.
          type: str
          sample: "2026-03-14T02:00:23Z"
        seconds:
          description: How long it took.
          type: float
          sample: 16.289
        state:
          description: >-
            V(finished), V(running), V(stuck) (its process has been there for too long), V(lost) (no process and no
            result) or V(unknown).
          type: str
          sample: finished
        code:
          description: The extension's code. V(0) is application-consistent, V(1) is not, V(4) has not ended, others
            failed.
          type: int
          sample: 0
        code_name:
          description: The extension's name for the code.
          type: str
          sample: success_appconsistent
        meaning:
          description: What the code means.
          type: str
          sample: Scripts and snapshot succeeded.
        health:
          description: The code of the VM's health in the same report. It tells why RV(guest_snapshot.last_run.code)
            is V(1).
          type: int
          sample: 0
        health_name:
          description: The extension's name for it.
          type: str
          sample: success_appconsistent
        health_state:
          description: V(green), V(yellow) or V(red).
          type: str
          sample: green
        consistency_reached:
          description: >-
            V(application), V(file_system), V(crash), V(none) when no usable snapshot came of it, or null when that
            cannot be told. V(application) is not believed when the log shows that no script ran.
          type: str
          sample: application
        hold_seconds:
          description: From the start of pre to the end of post, the longest that the application can have been held.
          type: float
          sample: 11.428
        freeze_seconds:
          description: How long the file systems stood still.
          type: float
          sample: 3.314
        pre:
          description: The pre script. Null on Windows.
          type: dict
          contains:
            state:
              description: >-
                V(succeeded), V(failed), V(timed_out), V(refused) (the extension would not run it), V(not_run),
                V(unfinished) or V(unknown).
              type: str
              sample: succeeded
            code:
              description: The extension's code for it.
              type: int
              sample: 0
            exit_code:
              description: The script's exit status. Negative for a signal.
              type: int
              sample: 0
            started:
              description: When it began.
              type: str
              sample: "2026-03-14T02:00:10Z"
            seconds:
              description: How long it took, as the extension saw it; it looks once in each poll interval.
              type: float
              sample: 2.004
        post:
          description: The post script, with the same keys. Null on Windows.
          type: dict
          sample: {"state": succeeded, "code": 0, "exit_code": 0, "started": "2026-03-14T02:00:20Z", "seconds": 1.003}
        freeze:
          description: >-
            The freeze. Its state is V(done), V(failed), V(timed_out), V(hung), V(skipped), V(not_done),
            V(thawed_early) or V(unknown).
          type: dict
          sample: {"state": done, "mounts": [/datadisk], "error": null}
        snapshot:
          description: >-
            Who took the snapshot (V(host) or V(guest)), its state (V(taken), V(failed), V(not_taken) or V(unknown)),
            and of how many disks.
          type: dict
          sample: {"by": host, "state": taken, "disks": 2, "failed_disks": 0}
        sources:
          description: What this was told from. Status and log are kept together only when they tell of the same run.
          type: dict
          sample:
            status: /var/lib/waagent/Microsoft.Azure.RecoveryServices.VMSnapshotLinux-1.0.9216.0/status/17.status
            log: /var/log/azure/Microsoft.Azure.RecoveryServices.VMSnapshotLinux/extension.log
            log_complete: true
            agree: true
        linux:
          description: >-
            The extension's message, whether somebody in the guest can mend what the code means (V(yes), V(no),
            V(maybe) or V(wait)), whether it ran on Python 2 (its stamps are local time then), the workload of its own
            framework if that was used, and the telemetry that helps to judge a run.
          returned: on Linux
          type: dict
          sample:
            fixable: "no"
            message: Enable Succeeded with App Consistent Snapshot
            python_2: false
            workload: null
            telemetry: {"extensionVersion": 1.0.9216.0, "snapshotCreator": backupHostService}
    configuration:
      description: The configuration as the extension would take it now.
      type: dict
      contains:
        linux:
          description: >-
            The script configuration with the code that the extension's own checks would give now, the host file that
            is in force, C(workload.conf), the knobs in C(vmbackup.conf), and what the scripts hold at this moment.
          returned: on Linux
          type: dict
          sample:
            host:
              override: true
              path: /etc/azure/VMSnapshotPluginHost.conf
              plugins: 1
              timeout: 1800
            hold: {"state": released, "run": 6f1c2a52-3f0e-4a64-9c1b-0e5f6d7a8b90, "hooks": [], "reason": null,
                   "interrupted": null}
            knobs: {}
            plugin:
              code: 0
              code_name: success_appconsistent
              continue_on_failure: true
              freeze: true
              path: /etc/azure/VMSnapshotScriptPluginConfig.json
              poll: 1
              post: {"path": /etc/azure/appconsistent-post, "exists": true, "mode": "0700", "owner": root, "params": 0}
              pre: {"path": /etc/azure/appconsistent-pre, "exists": true, "mode": "0700", "owner": root, "params": 0}
              reason: null
              scripts_run: true
              timeout: 120
            workload: {"path": /etc/azure/workload.conf, "present": true, "name": null}
        windows:
          description: The registry values that steer the extension.
          returned: on Windows
          type: dict
          sample: {}
    findings:
      description: What an operator should know, errors first.
      type: list
      elements: dict
      contains:
        code:
          description: A stable name that a playbook may branch on.
          type: str
          sample: run.not_application_consistent
        severity:
          description: V(error), V(warning) or V(info).
          type: str
          sample: warning
        message:
          description: What is wrong, in one sentence.
          type: str
          sample: "The last run reached file-system consistency only: The pre script failed."
        remedy:
          description: What to do about it.
          type: str
          sample: Read the script's own log, then rehearse with appconsistent.azure.snapshot_rehearsal.
        evidence:
          description: What was seen.
          type: str
          sample: code 300, FailedPrepostPreScriptFailed
"""

import os
import subprocess
import time
from typing import Any, Dict, List, Tuple

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._guest import wire_server
from ..module_utils._guest.guest import Guest
from ..module_utils._guest.snapshot import gather
from ..module_utils._scripts.lint import examine
from ..module_utils._scripts.standing_hold import standing_hold

# waagent is a Python program of its own; on a busy machine it takes its time.
_VERSION_TIMEOUT = 20
_SYNTAX_TIMEOUT = 10


def ask_version(program: str) -> str:
    """What ``waagent -version`` says, or nothing."""
    try:
        # Not run_command: an answer must not be waited for without an end.
        said = subprocess.run(  # pylint: disable=ansible-bad-function
            [program, "-version"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_VERSION_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return said.stdout[:4096].decode("utf-8", "replace")


def run_command(argv: List[str], text: str) -> Tuple[int, str]:
    """What the lint needs a program for: asking the guest's own sh about a script's syntax."""
    try:
        done = subprocess.run(  # pylint: disable=ansible-bad-function
            argv,
            input=text.encode("utf-8", "surrogateescape"),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_SYNTAX_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.SubprocessError) as error:
        return 127, type(error).__name__
    return done.returncode, done.stdout[:4096].decode("utf-8", "replace")


def run(params: Dict[str, Any]) -> Dict[str, Any]:
    timeout = params["wire_server_timeout"]
    guest = Guest(
        root="/",
        uid=os.geteuid(),
        now=time.time(),
        ask_version=ask_version,
        probe=(lambda: wire_server.probe(timeout)) if timeout > 0 else wire_server.not_probed,
        lint=lambda: examine(run_command),
        hold=standing_hold,
    )
    return gather(guest)


def main() -> None:
    module = AnsibleModule(
        argument_spec={"wire_server_timeout": {"type": "float", "default": 2.0}},
        supports_check_mode=True,
    )
    if not 0 <= module.params["wire_server_timeout"] <= 60:
        module.fail_json(
            msg="wire_server_timeout must be from 0 to 60 seconds, not {0:g}.".format(
                module.params["wire_server_timeout"]
            )
        )
    module.exit_json(changed=False, **run(module.params))


if __name__ == "__main__":
    main()
