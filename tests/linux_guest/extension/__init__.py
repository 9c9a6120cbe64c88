"""What the VMSnapshotLinux extension does inside a guest, told anew from its documented and observed behaviour.

agent        the guest agent's stand-in: takes requests from the "Azure side", starts the extension's daemon
daemon       one run, in order: checks, pre, freeze, snapshot, thaw, post, status
plugin_host  the host file and the script config: checks and their codes, waiting for the scripts
script       one script: how it is started, polled, and given up
snapshot     freeze, copy, thaw
handler      the handler's folder, state, settings and status files
log          extension.log with its formats, shell.log
knobs        vmbackup.conf, workload.conf
codes        code names, health
"""
