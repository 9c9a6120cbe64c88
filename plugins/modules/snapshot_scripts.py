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
      - An option that the profile does not use is refused. What each profile does, the rights that its account needs,
        and what it says when it fails, is told in the guide
        U(https://github.com/appconsistent/azure/blob/main/docs/linux_scripts.md).
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: What kind of application it is.
        type: str
        choices: [command, iris, mariadb, mongodb, mysql, oracle, postgresql, redis, saphana, service, valkey]
        required: true
      label:
        description: Tells two entries of one profile apart; a part of the hook's name.
        type: str
      order:
        description:
          - From 0 to 99; lower ones are frozen first and released last.
          - The default is V(10) for V(command) and V(service), and V(20) for databases.
        type: int
      boot_command:
        description:
          - For V(command), what to run at boot after a hold was interrupted, each word an item.
          - The default is O(profiles[].thaw_command).
        type: list
        elements: str
      client:
        description:
          - Absolute path of the client program. By default it is looked for in the usual folders.
          - For V(iris), a path that ends in C(csession) is called as Caché's client.
        type: path
      database:
        description: For V(postgresql), the database to connect to. The default is V(postgres).
        type: str
      freeze_command:
        description: For V(command), what holds the application, each word an item. Required there.
        type: list
        elements: str
      instance:
        description: For V(iris), the instance. Required there.
        type: str
      label_folder:
        description:
          - For V(postgresql) with O(profiles[].mode=backup), where the backup labels are kept. A restore needs the
            label.
          - The default is V(/var/lib/appconsistent/postgresql).
        type: path
      mode:
        description:
          - For V(postgresql), V(checkpoint) (the default) relies on frozen file systems; V(backup) keeps a backup open.
          - For V(mysql), V(instance) (the default) holds changes of tables back, enough for InnoDB with file systems
            frozen; V(global) holds all writes back, for MyISAM tables and an exact position in the binary log. It is
            not asked for while a statement has been running for two seconds or more, for everybody would wait for that.
          - For V(redis) and V(valkey), V(pause) (the default) pauses writes and makes sure that all is on disk; V(save)
            only saves.
          - For V(mongodb), V(flush) (the default) relies on frozen file systems; V(lock) locks the server for writes.
          - For V(oracle), V(backup) (the default) puts the files into hot backup mode; V(archive) only archives the log
            and relies on frozen file systems.
          - For V(service), V(pause) (the default) or V(stop).
        type: str
        choices: [archive, backup, checkpoint, flush, global, instance, lock, pause, save, stop]
      option_file:
        description: For V(mariadb) and V(mysql), absolute path of an option file with the account to use.
        type: path
      oracle_home:
        description: For V(oracle), the home of the software. Required there.
        type: path
      other_engines:
        description:
          - For V(mysql) with O(profiles[].mode=instance), what to do about tables of engines without a log of their own
            (MyISAM, ARCHIVE, CSV), whose copies are damaged when somebody writes to them.
          - V(refuse) (the default) holds nothing, and says which table; V(global) holds all writes back while there are
            such tables; V(accept) takes the risk.
        type: str
        choices: [refuse, global, accept]
      password:
        description:
          - For V(redis) and V(valkey), the password. It is kept in the hook's settings, which only root can read.
        type: str
      port:
        description: For V(postgresql), V(redis) and V(valkey), the TCP port of the server.
        type: int
      probe_command:
        description: For V(command), what proves by a real write that the application is free, each word an item.
        type: list
        elements: str
      probe_schema:
        description:
          - For V(mariadb) and V(mysql), the schema that a rehearsal writes to when it proves that the server is free.
          - The default is V(appconsistent).
        type: str
      server_limit:
        description:
          - For V(iris), whether the instance shall resume by itself after a limit (C(WDSuspendLimit)).
          - The default is V(true). Set it to V(false) for versions that do not know that argument.
        type: bool
      sid:
        description: For V(oracle) and V(saphana), the system identifier. Required there.
        type: str
      socket:
        description:
          - For V(mariadb), V(mysql), V(redis) and V(valkey), path of the server's socket; for V(postgresql), of its
            folder.
        type: path
      status_command:
        description:
          - For V(command), what tells after the snapshot whether the application was held all the time, each word an
            item.
          - Without it nothing proves that.
        type: list
        elements: str
      system_user:
        description:
          - The account to run the client as, for V(iris), V(oracle), V(postgresql) and V(saphana).
          - The default is V(oracle) for V(oracle), V(postgres) for V(postgresql), the SID's administrator for
            V(saphana), and root for V(iris).
        type: str
      thaw_command:
        description: For V(command), what releases the application, each word an item. Required there.
        type: list
        elements: str
      unit:
        description: For V(service), the full name of the unit. Required there.
        type: str
      uri:
        description:
          - For V(mongodb), the address of the server itself, with account and password if it needs them. It is kept in
            the hook's settings, which only root can read.
          - The default is V(mongodb://localhost:27017/?directConnection=true).
        type: str
      user:
        description: For V(mariadb), V(mysql), V(postgresql), V(redis) and V(valkey), the account in the database.
        type: str
      user_store_key:
        description: For V(saphana), the key in the user store. The default is V(SYSTEMDB).
        type: str
      wal_kept_elsewhere:
        description:
          - For V(postgresql) with O(profiles[].mode=backup), says that something else than C(archive_mode) keeps the
            log, such as C(pg_receivewal).
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
    description:
      - Whether all file systems are frozen together for the snapshot.
      - Where they are not, C(pre.sh) writes out what lies in memory once everything is held.
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
      - name: mariadb

- name: Several applications on one machine, the service first
  appconsistent.azure.snapshot_scripts:
    timeout: 120
    hold_seconds: 180
    profiles:
      - name: service
        unit: orders.service
        mode: stop
      - name: mariadb
        option_file: /etc/azure/mariadb-snapshot.cnf
      - name: redis
        socket: /run/redis/redis-server.sock

- name: PostgreSQL on volumes that cannot be frozen together
  appconsistent.azure.snapshot_scripts:
    fs_freeze_enabled: false
    profiles:
      - name: postgresql
        mode: backup

- name: An application that brings its own commands
  appconsistent.azure.snapshot_scripts:
    profiles:
      - name: command
        label: ledger
        freeze_command: [/opt/ledger/bin/ctl, quiesce, --wait]
        status_command: [/opt/ledger/bin/ctl, is-quiet]
        thaw_command: [/opt/ledger/bin/ctl, resume]

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

from ..module_utils._profiles.table import masked
from ..module_utils._scripts.deployment import DeploymentGuest, Refused, run


def _argument_spec() -> Dict[str, Any]:
    return {
        "state": {"type": "str", "choices": ["absent", "present"], "default": "present"},
        "profiles": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {
                "name": {
                    "type": "str",
                    "choices": [
                        "command",
                        "iris",
                        "mariadb",
                        "mongodb",
                        "mysql",
                        "oracle",
                        "postgresql",
                        "redis",
                        "saphana",
                        "service",
                        "valkey",
                    ],
                    "required": True,
                },
                "label": {"type": "str"},
                "order": {"type": "int"},
                "boot_command": {"type": "list", "elements": "str"},
                "client": {"type": "path"},
                "database": {"type": "str"},
                "freeze_command": {"type": "list", "elements": "str"},
                "instance": {"type": "str"},
                "label_folder": {"type": "path"},
                "mode": {
                    "type": "str",
                    "choices": [
                        "archive",
                        "backup",
                        "checkpoint",
                        "flush",
                        "global",
                        "instance",
                        "lock",
                        "pause",
                        "save",
                        "stop",
                    ],
                },
                "option_file": {"type": "path"},
                "oracle_home": {"type": "path"},
                "other_engines": {"type": "str", "choices": ["refuse", "global", "accept"]},
                "password": {"type": "str", "no_log": True},
                "port": {"type": "int"},
                "probe_command": {"type": "list", "elements": "str"},
                "probe_schema": {"type": "str"},
                "server_limit": {"type": "bool"},
                "sid": {"type": "str"},
                "socket": {"type": "path"},
                "status_command": {"type": "list", "elements": "str"},
                "system_user": {"type": "str"},
                "thaw_command": {"type": "list", "elements": "str"},
                "unit": {"type": "str"},
                "uri": {"type": "str", "no_log": True},
                "user": {"type": "str"},
                "user_store_key": {"type": "str", "no_log": False},
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


class SnapshotScripts(AnsibleModule):
    """Logs what it was invoked with, secrets masked by what an option is.

    The base class masks by text, and logs a list as Python writes it, in which a backslash, a quote or a character that
    is not printable reads otherwise than in the secret.
    """

    def _log_invocation(self) -> None:
        params = self.params
        self.params = dict(params, profiles=[masked(entry) for entry in params["profiles"]])
        try:
            super()._log_invocation()
        finally:
            self.params = params


def main() -> None:
    module = SnapshotScripts(argument_spec=_argument_spec(), supports_check_mode=True)

    def run_command(argv: List[str], text: str) -> Tuple[int, str]:
        status, out, err = module.run_command(argv, data=text)
        return status, err or out

    try:
        result = run(module.params, DeploymentGuest(run_command), module.check_mode)
    except Refused as refused:
        module.fail_json(msg=str(refused), findings=[finding.as_dict() for finding in refused.findings])
    for finding in result["findings"]:
        if finding["severity"] == "warning":
            module.warn("{message} {remedy}".format(**finding))
    if not module._diff:
        # Whole scripts, which nobody asked to see.
        del result["diff"]
    module.exit_json(**result)


if __name__ == "__main__":
    main()
