#!/usr/bin/python
# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: snapshot_rehearsal
short_description: Run the pre- and post-scripts of a Linux guest as Azure would, without a snapshot
version_added: 0.1.0
description:
  - Rehearses a restore point in a Linux guest. Makes the checks that Azure's snapshot extension makes, runs the
    pre-script, waits as long as a snapshot usually takes, and runs the post-script. No file system is frozen and no
    snapshot is taken.
  - The scripts are run as the extension runs them, with C(sh) whatever their first line says, with its parameters, its
    environment (that of the running guest agent, or else of its service), umask and working folder, without a
    terminal, with output going into pipes that nobody reads, looked at once in each poll interval, and never ended at
    their time limit.
  - Tells how long each phase and the hold took, and what the extension would report to Azure.
  - Proves with a real write that the application is free again. The profiles of
    M(appconsistent.azure.snapshot_scripts) bring such a probe; for other scripts name a command with O(probe). The
    same probe is run before the pre-script; when it cannot write even then, nothing is rehearsed.
  - Always releases. When the module is killed, the process that runs the scripts sees it and goes straight to the
    post-script. When that process is killed, a guardian, a shell in a session of its own, ends the pre-script and
    runs the post-script. When the probe still cannot write after the post-script, the post-script is run once more
    before the task fails.
extends_documentation_fragment:
  - appconsistent.azure.attributes
attributes:
  check_mode:
    support: full
    details: Makes all checks and returns what would be run. Runs no script and no probe.
  diff_mode:
    support: N/A
    details: A rehearsal leaves the guest as it was.
  platform:
    description: The operating systems that it works on.
    support: full
    platforms: linux
author:
  - The appconsistent.azure authors (@appconsistent)
options:
  window:
    description:
      - How many seconds to wait between the pre-script and the post-script, in place of freeze, snapshot and thaw. 8
        to 15 are usual in Azure.
      - The application is held for that long and a little longer.
    type: float
    default: 10.0
  probe:
    description:
      - A command that makes a real write into the application and waits until it is accepted, as a list of the
        program and its arguments. It is run as root, without a shell, from the folder C(/).
      - Exit status 0 means written, 3 that it cannot tell, anything else that the write was not accepted. The last
        line that it prints is returned.
      - Used in addition to the probes of the deployed profiles.
    type: list
    elements: str
    default: []
  probe_timeout:
    description:
      - How many seconds the write may take. A command that takes longer is ended and counts as not accepted.
      - For the probes of the deployed profiles it is the limit for all of them together.
    type: float
    default: 30.0
  minimum_consistency:
    description:
      - The task fails when the extension would report less than this.
      - V(FileSystemConsistent) is what a restore point reaches when a script fails and C(continueBackupOnFailure) is
        true.
    type: str
    choices: [ApplicationConsistent, FileSystemConsistent, CrashConsistent]
    default: ApplicationConsistent
notes:
  - Needs root (C(become)).
  - B(The application is really held). Writes wait from the end of the pre-script to the post-script, O(window)
    seconds and a few more; clients with short time-outs will notice. Rehearse one machine of a cluster at a time, and
    not in the busiest hour.
  - Scripts that are not those of this collection may not stand being run outside a backup, for example because they
    rotate logs or ship archives. Read them first; check mode runs nothing.
  - A restore point that Azure takes during a rehearsal is not application-consistent, because the pre-script finds the
    application held already. A rehearsal refuses to begin while a snapshot is being taken.
  - What no program can promise. If all processes of the rehearsal are killed with SIGKILL at the same moment, or the
    machine goes down, only what the scripts bring themselves releases the application. The scripts of
    M(appconsistent.azure.snapshot_scripts) bring a watchdog and clean up at boot. If logind is set to
    C(KillUserProcesses=yes), the end of the SSH session may be such a moment.
  - The pre-script is ended when it still runs after the post-script has ended. Azure would not do that. The
    post-script is never ended, because it may be releasing something.
  - Freezing is left out, so a rehearsal does not show scripts that write to a frozen file system, nor mounts that
    cannot be frozen.
  - Nothing is reported as changed. What the scripts and the probe write belongs to them.
seealso:
  - module: appconsistent.azure.snapshot_scripts
  - module: appconsistent.azure.guest_snapshot_info
"""

EXAMPLES = r"""
- name: Rehearse a restore point, one machine at a time
  appconsistent.azure.snapshot_rehearsal:
  become: true
  throttle: 1
  register: result

- name: Show what it took
  ansible.builtin.debug:
    msg: >-
      held for {{ result.rehearsal.hold_seconds }} s (pre {{ result.rehearsal.pre.own_seconds }} s,
      post {{ result.rehearsal.post.own_seconds }} s), proved free: {{ result.rehearsal.released }}

- name: Rehearse scripts of your own, with a write of your own as the proof
  appconsistent.azure.snapshot_rehearsal:
    window: 5
    probe:
      - /usr/bin/mysql
      - --defaults-file=/etc/mysql/debian.cnf
      - --execute=REPLACE INTO probe.alive VALUES (1, NOW())
  become: true

- name: See what would be run, and whether Azure would run it
  appconsistent.azure.snapshot_rehearsal:
  become: true
  check_mode: true
"""

RETURN = r"""
rehearsal:
  description: What was run and what came of it. Every key is always there; what is not known is null.
  returned: always
  type: dict
  contains:
    ran:
      description: Whether scripts were run. Never in check mode, and not when something spoke against it.
      type: bool
      sample: true
    check:
      description: The first of the extension's checks that fails, with the extension's code for it, or code 0.
      type: dict
      sample: {"code": 0, "code_name": success_appconsistent, "reason": null}
    commands:
      description: What the extension runs. Parameters of scripts are masked.
      type: dict
      sample: {"pre": [sh, /etc/azure/appconsistent/pre.sh], "post": [sh, /etc/azure/appconsistent/post.sh]}
    settings:
      description: The settings in force and where they come from.
      type: dict
      sample:
        config: /etc/azure/VMSnapshotScriptPluginConfig.json
        continue_on_failure: true
        freeze: true
        host: null
        poll: 1
        timeout: 60
    surroundings:
      description: >-
        The working folder, the umask and the names of the environment variables that the scripts see, and whether
        they were taken from the running agent.
      type: dict
      sample: {"folder": /, "umask": "0022", "environment": [ConfigSequenceNumber, LANG, PATH], "from_agent": false}
    pre:
      description: The pre-script.
      type: dict
      contains:
        state:
          description: V(succeeded), V(failed), V(timed_out) or V(not_run).
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
          description: How long the extension takes for it. It looks once in each poll interval, and twice over.
          type: float
          sample: 2.003
        own_seconds:
          description: How long the script itself took.
          type: float
          sample: 0.412
        unread_bytes:
          description: What it wrote into the pipes that nobody reads. After 64 KiB a script blocks.
          type: int
          sample: 0
    post:
      description: The post-script, with the same keys.
      type: dict
      sample:
        code: 0
        exit_code: 0
        own_seconds: 0.31
        seconds: 2.002
        started: "2026-03-14T02:00:22Z"
        state: succeeded
        unread_bytes: 0
    window_seconds:
      description: How long was waited between them. Zero when the extension would take no snapshot.
      type: float
      sample: 10.0
    hold_seconds:
      description: From the start of pre to the end of post, the longest that the application can have been held.
      type: float
      sample: 13.006
    would_report:
      description: >-
        What the extension would report to Azure if freeze and snapshot succeeded. Null when nothing can be said.
      type: dict
      contains:
        code:
          description: Its code, V(0) for application-consistent.
          type: int
          sample: 0
        code_name:
          description: Its name for the code.
          type: str
          sample: success_appconsistent
        meaning:
          description: What the code means.
          type: str
          sample: Scripts and snapshot succeeded.
        health:
          description: The code of the VM's health that goes with it.
          type: int
          sample: 0
        health_name:
          description: Its name for that code.
          type: str
          sample: success_appconsistent
        consistency_reached:
          description: V(application), V(file_system), V(crash) or V(none).
          type: str
          sample: application
        snapshot_taken:
          description: Whether a snapshot would be taken at all.
          type: bool
          sample: true
    probes:
      description: >-
        Each real write with its name and what became of it before and after. That is V(written), V(refused),
        V(timed_out) or V(cannot_tell).
      type: list
      elements: dict
      sample: [{"name": 20-mariadb, "before": written, "after": written, "said": null}]
    released:
      description: >-
        V(true) when every probe could write after the rehearsal, V(false) when one could not, null when there was no
        probe or one could not tell.
      type: bool
      sample: true
    released_by:
      description: >-
        V(post) as it should be, V(post_again) when post had to be run once more, V(guardian) or V(module) when the
        process that rehearsed was killed.
      type: str
      sample: post
    findings:
      description: >-
        What was noticed, errors first, with the keys of
        RV(appconsistent.azure.guest_snapshot_info#module:guest_snapshot.findings).
      type: list
      elements: dict
      sample: []
    log:
      description: What the deployed scripts wrote down about this run, the last 60 lines.
      type: list
      elements: str
      sample:
        - "2026-03-14T02:00:10Z pre run 0b0f9a6c-0000-4000-8000-000000000001, started by process 4711"
        - "2026-03-14T02:00:10Z pre 20-mariadb: freeze"
        - "2026-03-14T02:00:10Z pre held after 310 ms"
        - "2026-03-14T02:00:22Z post released; the hold was whole"
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._rehearsal.preparation import RehearsalGuest, rehearse


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "window": {"type": "float", "default": 10.0},
            "probe": {"type": "list", "elements": "str", "default": []},
            "probe_timeout": {"type": "float", "default": 30.0},
            "minimum_consistency": {
                "type": "str",
                "choices": ["ApplicationConsistent", "FileSystemConsistent", "CrashConsistent"],
                "default": "ApplicationConsistent",
            },
        },
        supports_check_mode=True,
    )
    if not 0 <= module.params["window"] <= 600:
        module.fail_json(msg="window must be from 0 to 600 seconds, not {0:g}.".format(module.params["window"]))
    if not 0 < module.params["probe_timeout"] <= 600:
        module.fail_json(
            msg="probe_timeout must be more than 0 and at most 600 seconds, not {0:g}.".format(
                module.params["probe_timeout"]
            )
        )
    answer = rehearse(module.params, RehearsalGuest(uid=os.geteuid()), module.check_mode)
    if answer.problem is not None:
        module.fail_json(msg=answer.problem, rehearsal=answer.rehearsal)
    module.exit_json(changed=False, rehearsal=answer.rehearsal)


if __name__ == "__main__":
    main()
