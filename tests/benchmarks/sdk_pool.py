# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What a script would do: a thread pool over azure-mgmt-compute, one point per VM, waited for."""

from __future__ import annotations

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from azure.identity import ClientSecretCredential
from azure.mgmt.compute import ComputeManagementClient
from azure.mgmt.compute.models import RestorePoint, RestorePointCollection

THREADS = 64


def main() -> None:
    hosts = json.loads(Path(sys.argv[1]).read_text())["all"]["hosts"]
    facts = json.loads(os.environ["SIMULATOR_FACTS"])
    ca_file = facts["ca_file"]
    credential = ClientSecretCredential(
        facts["tenant_id"],
        facts["client_id"],
        facts["client_secret"],
        authority=facts["authority_url"],
        disable_instance_discovery=True,
        connection_verify=ca_file,
    )
    client = ComputeManagementClient(
        credential,
        facts["subscription_id"],
        base_url=facts["arm_url"],
        credential_scopes=[f"{facts['arm_url']}/.default"],
        connection_verify=ca_file,
        polling_interval=3,
    )

    def take(vm_id: str) -> str:
        parts = vm_id.strip("/").split("/")
        group, vm = parts[3], parts[-1]
        # The same reads as ours: the VM, then the collection.
        location = client.virtual_machines.get(group, vm, expand="instanceView").location
        collection = f"{vm}-pool"
        client.restore_point_collections.create_or_update(
            group,
            collection,
            RestorePointCollection({"location": location, "properties": {"source": {"id": vm_id}}}),
        )
        client.restore_points.begin_create(group, collection, "pool", RestorePoint()).result()
        made = client.restore_points.get(group, collection, "pool", expand="instanceView")
        return str(getattr(made.consistency_mode, "value", made.consistency_mode))

    with ThreadPoolExecutor(THREADS) as pool:
        reached = list(pool.map(take, [host["azure_vm_id"] for host in hosts.values()]))
    if set(reached) != {"ApplicationConsistent"}:
        raise SystemExit(f"not all points are application-consistent: {set(reached)}")


if __name__ == "__main__":
    main()
