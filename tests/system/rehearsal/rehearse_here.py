# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Rehearse in a folder that stands for a guest, as the module does, and print the answer. Arguments: folder, window."""

import json
import os
import sys

from ansible_collections.appconsistent.azure.plugins.module_utils._guest import plugin_check
from ansible_collections.appconsistent.azure.plugins.module_utils._rehearsal.preparation import RehearsalGuest, rehearse

if os.geteuid() != 0:
    # what root owns is tested elsewhere
    plugin_check.owner_name = lambda about: "root"  # noqa: ARG005
folder, window = sys.argv[1], float(sys.argv[2])
answer = rehearse(
    {
        "window": window,
        "probe": ["sh", folder + "/etc/azure/probe"],
        "probe_timeout": 20.0,
        "minimum_consistency": "ApplicationConsistent",
    },
    RehearsalGuest(root=folder, uid=0, deployed_probes=lambda _seconds: [], root_uid=os.getuid()),
    check_mode=False,
)
print(json.dumps(dict(answer.rehearsal, problem=answer.problem)))
