# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations


class ModuleDocFragment:
    """Signing in to Azure, and naming the machine."""

    DOCUMENTATION = r"""
options:
  auth_source:
    description:
      - How to sign in. V(auto) takes a client secret, a certificate or a federated token from the options or the
        environment, and the Azure CLI's login when none of them is given.
      - V(env) takes them from the environment only, V(cli) uses the Azure CLI's login, V(msi) the managed identity of
        the machine that Ansible runs on (O(client_id) chooses a user-assigned one).
      - Can be set with E(ANSIBLE_AZURE_AUTH_SOURCE), or with E(APPCONSISTENT_AUTH_SOURCE) where variables beginning
        with C(ANSIBLE_) are barred, as in an AWX credential type. The default is V(auto).
    type: str
    choices: [auto, cli, env, msi]
  ca_file:
    description:
      - PEM file with the certificate authorities to trust, for an endpoint with a CA of its own.
      - Can be set with E(APPCONSISTENT_CA_FILE), E(SSL_CERT_FILE) or E(REQUESTS_CA_BUNDLE).
    type: path
  client_id:
    description:
      - Application (client) ID of the service principal or of the user-assigned managed identity.
      - Can be set with E(AZURE_CLIENT_ID).
    type: str
  cloud_environment:
    description:
      - V(AzureCloud), V(AzureChinaCloud), V(AzureUSGovernment), or the V(https://) address of a Resource Manager that
        describes its own endpoints.
      - Can be set with E(AZURE_CLOUD_ENVIRONMENT). The default is V(AzureCloud).
    type: str
  federated_token_file:
    description:
      - File with a federated token, for workload identity.
      - Can be set with E(AZURE_FEDERATED_TOKEN_FILE).
    type: path
  secret:
    description:
      - Client secret of the service principal.
      - Can be set with E(AZURE_SECRET) or E(AZURE_CLIENT_SECRET).
    type: str
  tenant:
    description:
      - Tenant (directory) ID.
      - Can be set with E(AZURE_TENANT) or E(AZURE_TENANT_ID).
    type: str
    aliases: [tenant_id]
  x509_certificate_path:
    description:
      - PEM or PKCS#12 file with the service principal's certificate and its key, without a passphrase.
      - Can be set with E(AZURE_X509_CERTIFICATE_PATH) or E(AZURE_CLIENT_CERTIFICATE_PATH).
    type: path
requirements:
  - azure-core >= 1.32 on the controller
  - azure-identity >= 1.19 on the controller
  - azure-mgmt-core >= 1.5 on the controller
  - pycurl >= 7.47 on the controller
notes:
  - Runs in the controller's own process, with the Python that runs Ansible. No connection to the host is opened, so
    neither C(delegate_to) nor C(connection=local) nor an interpreter setting is needed.
"""

    FLEET = r"""
options:
  vms:
    description:
      - The machines to work on, a dictionary of host names and resource IDs.
      - The default is all hosts of the current batch (C(ansible_play_batch)), each with its variable C(azure_vm_id) or
        C(id).
      - A host or group variable C(appconsistent) is a machine's own protection plan. It is a dictionary of options
        (C(schedule), C(schedule_key), C(max_age), C(consistency), C(minimum_consistency), C(min_interval), C(keep),
        C(keep_for), C(keep_good), C(exclude_disks), C(collection_resource_group), C(collection_name),
        C(collection_tags)) that override those of the task for that machine. A plan that is wrong stops its machine
        only.
    type: dict
  credentials:
    description:
      - For machines of several tenants or clouds in one task, how to sign in for the O(credentials[].subscriptions)
        that each entry names. All other subscriptions use the task's own options and environment.
      - An entry stands for itself. Beside the CA file nothing in it is taken from the environment.
      - Where the credentials of an entry are refused, only the machines of its subscriptions fail.
    type: list
    elements: dict
    default: []
    suboptions:
      subscriptions:
        description: IDs of the subscriptions that the entry is for.
        type: list
        elements: str
        required: true
      auth_source:
        description: As O(auth_source).
        type: str
        choices: [auto, cli, env, msi]
      ca_file:
        description: As O(ca_file).
        type: path
      client_id:
        description: As O(client_id).
        type: str
      cloud_environment:
        description: As O(cloud_environment). Without it V(AzureCloud).
        type: str
      federated_token_file:
        description: As O(federated_token_file).
        type: path
      secret:
        description: As O(secret).
        type: str
      tenant:
        description: As O(tenant).
        type: str
        aliases: [tenant_id]
      x509_certificate_path:
        description: As O(x509_certificate_path).
        type: path
  progress_interval:
    description: How often to print a line about where the run stands.
    type: str
    default: 10s
  quiet:
    description: Whether to print neither progress nor the table at the end.
    type: bool
    default: false
  run_timeout:
    description:
      - How long the whole task may take, such as V(2h). Without it only O(timeout) limits the work on each machine.
      - A machine whose work is not at its end by then says so in its verdict; one whose turn has not come is
        V(not_begun).
    type: str
  results_file:
    description:
      - File on the controller to write RV(hosts) to as JSON, readable by its owner only. For fleets whose result is
        larger than what AWX keeps of an event.
    type: path
  stats_key:
    description:
      - Publishes a short form of RV(hosts) as custom statistics under this name. AWX keeps them as the artifacts of the
        job and hands them to the later nodes of a workflow.
      - Has to be unique to the job, for example V(points_{{ awx_job_id }}); of the slices of a job that use the same
        name only the last one's statistics stay.
    type: str
"""

    VM = r"""
options:
  vm_id:
    description:
      - Resource ID of the virtual machine.
      - The default is the host's variable C(azure_vm_id), then C(id), which the inventory plugin
        C(azure.azcollection.azure_rm) sets.
    type: str
"""
