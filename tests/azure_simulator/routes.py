"""The table of what Resource Manager answers: method, type, item or not -> handler, right, rate-limit policies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from . import (
    activity_log,
    disk_restore_points,
    disks,
    extension_images,
    extensions,
    locks,
    network,
    operations,
    policies,
    resource_graph,
    resource_groups,
    resources,
    restore_point_collections,
    restore_points,
    subscriptions,
    vm_changes,
    vms,
)
from .api_versions import POINTS
from .exchange import Call, Response

if TYPE_CHECKING:
    from .world import World

Handler: TypeAlias = "Callable[[World, Call], Response]"

COMPUTE = "microsoft.compute"
NETWORK = "microsoft.network"
TAGS = "microsoft.resources/tags"
VM = f"{COMPUTE}/virtualmachines"
COLLECTION = f"{COMPUTE}/restorepointcollections"
DISK_POINT = f"{POINTS}/diskrestorepoints"
IMAGES = f"{COMPUTE}/locations/publishers/artifacttypes/types"

READ_VM = ("LowCostGetResource", "LowCostGetSubscriptionMaximum")
LIST_VMS = ("HighCostGetSubscriptionMaximum",)
WRITE_VM = ("UpdateVMResource", "UpdateVMSubscriptionMaximum")
READ_POINT = ("LowCostGetRestorePointSubscriptionMaximum",)
PUT_COLLECTION = ("PutRestorePointCollectionResource", "PutRestorePointCollectionSubscriptionMaximum")
PUT_POINT = ("PutRestorePointResource", "PutRestorePointSubscriptionMaximum")
DELETE_POINT = ("DeleteRestorePointSubscriptionMaximum",)
GET_OPERATION = ("GetOperationResource", "GetOperationSubscriptionMaximum")


class Route(NamedTuple):
    handler: Handler
    action: str
    policies: tuple[str, ...] = ()


Key: TypeAlias = tuple[str, str, bool]
ITEM, MANY = True, False

_VM = "Microsoft.Compute/virtualMachines"
_COLLECTION = "Microsoft.Compute/restorePointCollections"
_POINT = f"{_COLLECTION}/restorePoints"
_DISK_POINT = f"{_POINT}/diskRestorePoints"
_GROUP = "Microsoft.Resources/subscriptions/resourceGroups"

ROUTES: Mapping[Key, Route] = {
    ("GET", "tenants", MANY): Route(subscriptions.tenants, "Microsoft.Resources/tenants/read"),
    ("GET", "subscriptions", MANY): Route(subscriptions.list_all, "Microsoft.Resources/subscriptions/read"),
    ("GET", "subscriptions", ITEM): Route(subscriptions.get, "Microsoft.Resources/subscriptions/read"),
    ("GET", "subscriptions/locations", MANY): Route(
        subscriptions.locations, "Microsoft.Resources/subscriptions/locations/read"
    ),
    ("GET", "subscriptions/providers", MANY): Route(
        subscriptions.list_providers, "Microsoft.Resources/subscriptions/providers/read"
    ),
    ("GET", "subscriptions/providers", ITEM): Route(
        subscriptions.get_provider, "Microsoft.Resources/subscriptions/providers/read"
    ),
    ("GET", "subscriptions/resourcegroups", MANY): Route(resource_groups.list_all, f"{_GROUP}/read"),
    ("GET", "subscriptions/resourcegroups", ITEM): Route(resource_groups.get, f"{_GROUP}/read"),
    ("HEAD", "subscriptions/resourcegroups", ITEM): Route(resource_groups.head, f"{_GROUP}/read"),
    ("PUT", "subscriptions/resourcegroups", ITEM): Route(resource_groups.put, f"{_GROUP}/write"),
    ("PATCH", "subscriptions/resourcegroups", ITEM): Route(resource_groups.patch, f"{_GROUP}/write"),
    ("DELETE", "subscriptions/resourcegroups", ITEM): Route(resource_groups.delete, f"{_GROUP}/delete"),
    ("GET", "subscriptions/operationresults", ITEM): Route(
        operations.get_result, "Microsoft.Resources/subscriptions/operationresults/read"
    ),
    ("GET", "subscriptions/resources", MANY): Route(
        resources.list_in_scope, "Microsoft.Resources/subscriptions/resources/read"
    ),
    ("GET", "subscriptions/resourcegroups/resources", MANY): Route(resources.list_in_scope, f"{_GROUP}/resources/read"),
    ("GET", TAGS, ITEM): Route(resources.get_tags, "Microsoft.Resources/tags/read"),
    ("PUT", TAGS, ITEM): Route(resources.put_tags, "Microsoft.Resources/tags/write"),
    ("PATCH", TAGS, ITEM): Route(resources.patch_tags, "Microsoft.Resources/tags/write"),
    ("DELETE", TAGS, ITEM): Route(resources.delete_tags, "Microsoft.Resources/tags/delete"),
    # The network, read only
    ("GET", f"{NETWORK}/networkinterfaces", MANY): Route(
        network.list_interfaces, "Microsoft.Network/networkInterfaces/read"
    ),
    ("GET", f"{NETWORK}/networkinterfaces", ITEM): Route(
        network.get_interface, "Microsoft.Network/networkInterfaces/read"
    ),
    ("GET", f"{NETWORK}/publicipaddresses", ITEM): Route(
        network.get_public_address, "Microsoft.Network/publicIPAddresses/read"
    ),
    # Virtual machines
    ("GET", VM, MANY): Route(vms.list_in_scope, f"{_VM}/read", LIST_VMS),
    ("GET", f"{COMPUTE}/locations/virtualmachines", MANY): Route(vms.list_by_location, f"{_VM}/read", LIST_VMS),
    ("GET", VM, ITEM): Route(vms.get, f"{_VM}/read", READ_VM),
    ("DELETE", VM, ITEM): Route(vms.delete, f"{_VM}/delete", ("DeleteVMResource", "DeleteVMSubscriptionMaximum")),
    ("PATCH", VM, ITEM): Route(vm_changes.update, f"{_VM}/write", WRITE_VM),
    ("POST", f"{VM}/deallocate", MANY): Route(
        vm_changes.deallocate, f"{_VM}/deallocate/action", ("DeleteVMResource", "DeleteVMSubscriptionMaximum")
    ),
    ("POST", f"{VM}/start", MANY): Route(vm_changes.start, f"{_VM}/start/action", WRITE_VM),
    ("GET", f"{VM}/instanceview", MANY): Route(vms.get_instance_view, f"{_VM}/instanceView/read", READ_VM),
    # Extensions
    ("GET", f"{VM}/extensions", MANY): Route(extensions.list_of_vm, f"{_VM}/extensions/read", READ_VM),
    ("GET", f"{VM}/extensions", ITEM): Route(extensions.get, f"{_VM}/extensions/read", READ_VM),
    ("PUT", f"{VM}/extensions", ITEM): Route(extensions.put, f"{_VM}/extensions/write", WRITE_VM),
    ("PATCH", f"{VM}/extensions", ITEM): Route(extensions.patch, f"{_VM}/extensions/write", WRITE_VM),
    ("DELETE", f"{VM}/extensions", ITEM): Route(extensions.delete, f"{_VM}/extensions/delete", WRITE_VM),
    ("GET", f"{COMPUTE}/locations/publishers", MANY): Route(
        extension_images.list_publishers, "Microsoft.Compute/locations/publishers/read"
    ),
    ("GET", IMAGES, MANY): Route(
        extension_images.list_types, "Microsoft.Compute/locations/publishers/artifacttypes/types/read"
    ),
    ("GET", f"{IMAGES}/versions", MANY): Route(
        extension_images.list_versions, "Microsoft.Compute/locations/publishers/artifacttypes/types/versions/read"
    ),
    # Restore point collections and points
    ("GET", COLLECTION, MANY): Route(restore_point_collections.list_in_scope, f"{_COLLECTION}/read", READ_POINT),
    ("GET", COLLECTION, ITEM): Route(restore_point_collections.get, f"{_COLLECTION}/read", READ_POINT),
    ("PUT", COLLECTION, ITEM): Route(restore_point_collections.put, f"{_COLLECTION}/write", PUT_COLLECTION),
    ("PATCH", COLLECTION, ITEM): Route(restore_point_collections.patch, f"{_COLLECTION}/write", PUT_COLLECTION),
    ("DELETE", COLLECTION, ITEM): Route(restore_point_collections.delete, f"{_COLLECTION}/delete", DELETE_POINT),
    ("GET", POINTS, ITEM): Route(restore_points.get, f"{_POINT}/read", READ_POINT),
    ("PUT", POINTS, ITEM): Route(restore_points.put, f"{_POINT}/write", PUT_POINT),
    ("DELETE", POINTS, ITEM): Route(restore_points.delete, f"{_POINT}/delete", DELETE_POINT),
    ("GET", DISK_POINT, MANY): Route(disk_restore_points.list_of_point, f"{_DISK_POINT}/read", READ_POINT),
    ("GET", DISK_POINT, ITEM): Route(disk_restore_points.get, f"{_DISK_POINT}/read", READ_POINT),
    ("POST", f"{DISK_POINT}/begingetaccess", MANY): Route(
        disk_restore_points.begin_get_access, f"{_DISK_POINT}/beginGetAccess/action"
    ),
    ("POST", f"{DISK_POINT}/endgetaccess", MANY): Route(
        disk_restore_points.end_get_access, f"{_DISK_POINT}/endGetAccess/action"
    ),
    # Disks
    ("GET", f"{COMPUTE}/disks", MANY): Route(disks.list_in_scope, "Microsoft.Compute/disks/read"),
    ("GET", f"{COMPUTE}/disks", ITEM): Route(disks.get, "Microsoft.Compute/disks/read"),
    ("PUT", f"{COMPUTE}/disks", ITEM): Route(disks.put, "Microsoft.Compute/disks/write"),
    ("PATCH", f"{COMPUTE}/disks", ITEM): Route(disks.patch, "Microsoft.Compute/disks/write"),
    ("DELETE", f"{COMPUTE}/disks", ITEM): Route(disks.delete, "Microsoft.Compute/disks/delete"),
    # Operations
    ("GET", f"{COMPUTE}/locations/operations", ITEM): Route(
        operations.get, "Microsoft.Compute/locations/operations/read", GET_OPERATION
    ),
    ("GET", f"{COMPUTE}/locations/diskoperations", ITEM): Route(
        operations.get, "Microsoft.Compute/locations/diskOperations/read"
    ),
    # Locks, activity log, Resource Graph
    ("GET", "microsoft.authorization/locks", MANY): Route(locks.list_at_scope, "Microsoft.Authorization/locks/read"),
    ("GET", "microsoft.authorization/locks", ITEM): Route(locks.get, "Microsoft.Authorization/locks/read"),
    ("PUT", "microsoft.authorization/locks", ITEM): Route(locks.put, "Microsoft.Authorization/locks/write"),
    ("DELETE", "microsoft.authorization/locks", ITEM): Route(locks.delete, "Microsoft.Authorization/locks/delete"),
    **{
        (method, kind, item): Route(handler, f"{policies.KINDS[kind]}/{right}")
        for kind in policies.KINDS
        for method, item, handler, right in (
            ("GET", MANY, policies.list_at_scope, "read"),
            ("GET", ITEM, policies.get, "read"),
            ("PUT", ITEM, policies.put, "write"),
            ("DELETE", ITEM, policies.delete, "delete"),
        )
    },
    ("GET", "microsoft.insights/eventtypes/values", MANY): Route(
        activity_log.list_events, "Microsoft.Insights/eventtypes/values/read"
    ),
    ("POST", "microsoft.resourcegraph/resources", MANY): Route(
        resource_graph.query, "Microsoft.ResourceGraph/resources/read"
    ),
}
