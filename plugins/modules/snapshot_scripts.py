#!/usr/bin/python
# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: snapshot_scripts
short_description: The pre- and post-scripts that hold a Linux guest's applications while Azure takes a snapshot
version_added: 0.1.0
description:
  - Deploys everything that makes Azure's VMSnapshotLinux extension hold the applications of a Linux guest while a
    restore point is taken. That is the extension's configuration C(/etc/azure/VMSnapshotScriptPluginConfig.json), one
    fixed pair of scripts in C(/etc/azure/appconsistent), one hook for each application in
    C(/etc/azure/appconsistent.d), and a systemd unit that cleans up at boot after a hold was interrupted.
  - One task does the whole deployment. It looks at what is there, judges what would be there (RV(findings)), and
    writes only when that would work. Each file is put in place in one step; the extension's configuration comes last.
  - The scripts release by themselves what they hold. A watchdog does so when the post-script does not come, and the
    post-script fails when the hold was broken before it came, so that Azure never calls a point application-consistent
    that is not.
  - Files in C(/etc/azure/appconsistent.d) that this module did not write are run as hooks too, and are left alone.
  - Nothing but Python's standard library is needed in the guest, and at run time not even Python.
extends_documentation_fragment:
  - appconsistent.azure.attributes
attributes:
  check_mode:
    support: full
    details: Everything is looked at and judged; nothing is written.
  diff_mode:
    support: full
    details: Secrets are masked.
  platform:
    description: The operating systems that it works on.
    support: full
    platforms: linux
options:
  state:
    description:
      - V(present) deploys the scripts, V(absent) removes what this module wrote, and nothing else.
    type: str
    choices: [absent, present]
    default: present
  profiles:
    description:
      - The applications to hold, each as a profile with its options. Several on one machine are frozen in the
        order of
        their O(profiles[].order) and released the other way round.
      - A hook that belongs to no profile of the list any more is removed.
      - An option that a profile does not use is refused. Defaults are those of the profile; see the guide
        C(docs/linux_scripts.md).
    type: list
    elements: dict
    default: []
    suboptions:
      profile:
        description: What kind of application it is.
        type: str
        choices: [mariadb, mysql, postgresql]
        required: true
      name:
        description:
          - Names the hook. Needed when two entries have the same profile and order. The default is the
            profile's name.
        type: str
      order:
        description: From 0 to 99; lower ones are frozen first and released last. The default is that of the profile.
        type: int
      client:
        description: Absolute path of the client program. By default it is looked for in the usual folders.
        type: path
      database:
        description: For V(postgresql), the database to connect to. The default is V(postgres).
        type: str
      label_folder:
        description:
          - For V(postgresql) with O(profiles[].mode=backup), where the backup labels are kept. A restore needs
            the label.
          - The default is V(/var/lib/appconsistent/postgresql).
        type: path
      lock:
        description:
          - For V(mysql), V(instance) holds changes of tables back, which is enough for InnoDB when file systems
            are frozen.
          - V(global) holds all writes back, for MyISAM tables and an exact position in the binary log.
          - The default is V(instance).
        type: str
        choices: [global, instance]
      mode:
        description:
          - For V(postgresql), V(checkpoint) relies on frozen file systems; V(backup) keeps a backup open meanwhile.
          - The default is V(checkpoint).
        type: str
        choices: [backup, checkpoint]
      option_file:
        description: For V(mariadb) and V(mysql), absolute path of an option file with the account to use.
        type: path
      port:
        description: TCP port of the server.
        type: int
      probe_schema:
        description:
          - For V(mariadb) and V(mysql), the schema that a rehearsal writes to when it proves that the server is free.
          - The default is V(appconsistent).
        type: str
      socket:
        description: Path of the server's socket; for V(postgresql), of its folder.
        type: path
      system_user:
        description: The account to run the client as. For V(postgresql) the default is V(postgres).
        type: str
      user:
        description: Name of the account in the database.
        type: str
      wal_kept_elsewhere:
        description:
          - For V(postgresql) with O(profiles[].mode=backup), says that something else than C(archive_mode) keeps
            the log, such
            as C(pg_receivewal).
          - The default is V(false).
        type: bool
  timeout:
    description:
      - Seconds that Azure waits for each script (C(timeoutInSeconds)), from 20 to 1800. The scripts end by
        themselves before
        that; three quarters of what they have are for freezing, the rest for undoing it.
    type: int
    default: 60
  hold_seconds:
    description:
      - The longest time from the start of the pre-script until everything is released, with or without a post-script.
      - At least what freezing may take, and 30 seconds for the snapshot.
    type: int
    default: 120
  poll_seconds:
    description:
      - How often the extension looks whether a script has ended (C(ScriptsExecutionPollTimeSeconds)), from 1 to
        5. The
        application is held up to four times as long in addition.
    type: int
    default: 1
  continue_backup_on_failure:
    description:
      - Whether a point is taken although a script failed. It is then file-system-consistent at best, and Azure
        says so.
    type: bool
    default: true
  fs_freeze_enabled:
    description: Whether all file systems are frozen together for the snapshot.
    type: bool
    default: true
  log_file:
    description: Where the log of each run is kept, after everything was released. It is turned over at 1 MiB.
    type: path
    default: /var/log/azure/appconsistent.log
  force:
    description:
      - Replaces a C(/etc/azure/VMSnapshotScriptPluginConfig.json) that runs somebody else's scripts.
    type: bool
    default: false
author:
  - The appconsistent.azure authors (@appconsistent)
"""

EXAMPLES = r"""
- name: Hold the MariaDB server while a restore point is taken
  appconsistent.azure.snapshot_scripts:
    profiles:
      - profile: mariadb

- name: Two applications on one machine
  appconsistent.azure.snapshot_scripts:
    timeout: 120
    hold_seconds: 180
    profiles:
      - profile: mariadb
        socket: /run/mysqld/mysqld.sock
        option_file: /etc/azure/mariadb-snapshot.cnf
      - profile: postgresql
        order: 30
        mode: checkpoint

- name: Remove the scripts
  appconsistent.azure.snapshot_scripts:
    state: absent
"""

RETURN = r"""
snapshot_scripts:
  description: What is deployed, or in check mode would be.
  returned: success
  type: dict
  contains:
    state:
      description: As asked for.
      type: str
      returned: always
    config_path:
      description: The extension's configuration.
      type: str
      returned: when O(state=present)
    pre_script:
      description: The script that runs before the snapshot.
      type: str
      returned: when O(state=present)
    post_script:
      description: The script that runs after the snapshot.
      type: str
      returned: when O(state=present)
    hooks:
      description:
        - The hooks of the profiles, in the order in which they freeze; each with C(name), C(profile), C(path).
      type: list
      elements: dict
      returned: always
    foreign_hooks:
      description: Names of files in the hook folder that this module did not write.
      type: list
      elements: str
      returned: always
    timeout:
      description: Seconds that Azure waits for a script.
      type: int
      returned: when O(state=present)
    freeze_seconds:
      description: Seconds after which the pre-script gives up and undoes what it did.
      type: int
      returned: when O(state=present)
    hold_seconds:
      description: Seconds after which everything is released in any case.
      type: int
      returned: when O(state=present)
    continue_backup_on_failure:
      description: As asked for.
      type: bool
      returned: when O(state=present)
    fs_freeze_enabled:
      description: As asked for.
      type: bool
      returned: when O(state=present)
  sample:
    state: present
    config_path: /etc/azure/VMSnapshotScriptPluginConfig.json
    pre_script: /etc/azure/appconsistent/pre.sh
    post_script: /etc/azure/appconsistent/post.sh
    hooks: [{name: 20-mariadb, profile: mariadb, path: /etc/azure/appconsistent.d/20-mariadb}]
    foreign_hooks: []
    timeout: 60
    freeze_seconds: 40
    hold_seconds: 120
    continue_backup_on_failure: true
    fs_freeze_enabled: true
written:
  description: Files and folders that were written or whose rights were set, or in check mode would be.
  returned: success
  type: list
  elements: str
  sample: [/etc/azure/VMSnapshotScriptPluginConfig.json]
removed:
  description: Files that were removed, or in check mode would be.
  returned: success
  type: list
  elements: str
  sample: []
findings:
  description:
    - What the lint found in the files as they will be, and in everything else that the extension reads.
    - An error is a reason to write nothing, and fails the task.
  returned: always, also on failure
  type: list
  elements: dict
  contains:
    code:
      description: Which finding it is; stable.
      type: str
      returned: always
    severity:
      description: V(error), V(warning) or V(info).
      type: str
      returned: always
    message:
      description: What is wrong.
      type: str
      returned: always
    remedy:
      description: What to do.
      type: str
      returned: always
    evidence:
      description: What was seen, or null.
      type: str
      returned: always
  sample:
    - code: config.freeze_off
      severity: warning
      message: >-
        fsFreezeEnabled in /etc/azure/VMSnapshotScriptPluginConfig.json is false: volumes are not taken at one
        moment, and
        when a script fails there is no point at all.
      remedy: Set it to true unless the application keeps its own backup mode open meanwhile.
      evidence: null
"""

from typing import Any, Dict, List, Tuple

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._script_deployment import Guest, Refused, run


def _argument_spec() -> Dict[str, Any]:
    return {
        "state": {"type": "str", "choices": ["absent", "present"], "default": "present"},
        "profiles": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {
                "profile": {"type": "str", "choices": ["mariadb", "mysql", "postgresql"], "required": True},
                "name": {"type": "str"},
                "order": {"type": "int"},
                "client": {"type": "path"},
                "database": {"type": "str"},
                "label_folder": {"type": "path"},
                "lock": {"type": "str", "choices": ["global", "instance"]},
                "mode": {"type": "str", "choices": ["backup", "checkpoint"]},
                "option_file": {"type": "path"},
                "port": {"type": "int"},
                "probe_schema": {"type": "str"},
                "socket": {"type": "path"},
                "system_user": {"type": "str"},
                "user": {"type": "str"},
                "wal_kept_elsewhere": {"type": "bool"},
            },
        },
        "timeout": {"type": "int", "default": 60},
        "hold_seconds": {"type": "int", "default": 120},
        "poll_seconds": {"type": "int", "default": 1},
        "continue_backup_on_failure": {"type": "bool", "default": True},
        "fs_freeze_enabled": {"type": "bool", "default": True},
        "log_file": {"type": "path", "default": "/var/log/azure/appconsistent.log"},
        "force": {"type": "bool", "default": False},
    }


def main() -> None:
    module = AnsibleModule(argument_spec=_argument_spec(), supports_check_mode=True)

    def run_command(argv: List[str], text: str) -> Tuple[int, str]:
        status, out, err = module.run_command(argv, data=text)
        return status, err or out

    try:
        result = run(module.params, Guest(run_command), module.check_mode)
    except Refused as refused:
        module.fail_json(msg=str(refused), findings=[finding.as_dict() for finding in refused.findings])
    for finding in result["findings"]:
        if finding["severity"] == "warning":
            module.warn("{message} {remedy}".format(**finding))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
