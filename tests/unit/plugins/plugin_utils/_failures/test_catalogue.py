# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The failure catalogue holds together: every entry can be met, says what to do, and stands in the documentation."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from ansible_collections.appconsistent.azure.plugins.plugin_utils._failures import explain as failures
from ansible_collections.appconsistent.azure.plugins.plugin_utils._failures.catalogue import CATALOGUE, GROUPS
from ansible_collections.appconsistent.azure.plugins.plugin_utils._failures.entry import Entry, Seen
from ansible_collections.appconsistent.azure.plugins.plugin_utils._failures.explain import explain

from docs.site.failures import render

# What a next step may begin with. A new one is added here on purpose, so that a remedy never begins with a cause.
VERBS = """
Add Address Allow Ask Assign Change Check Choose Clear Compare Correct Create Delete Deploy Enable End Exclude Exempt
Find Free Fulfil Grant Install Lift Look Make Move Open Protect Put Raise Read Recover Register Remove Repair Reset
Restart Run Set Split Start Switch Take Try Turn Unlock Unmount Upload Use Wait
"""
# Microsoft's three troubleshooting pages, the extension's and the agent's source, Azure Resource Manager, sign-in.
DOCUMENTED = """
DiskRestorePointUsedByCustomer OperationNotAllowed VMRestorePointClientError VMAgentStatusCommunicationError
VMRestorePointInternalError DiskRestorePointClientError BadRequest InternalError InternalExecutionError
InternalOperationError OSProvisioningClientError AllocationFailed

UserErrorGuestAgentStatusUnavailable GuestAgentSnapshotTaskStatusError UserErrorVmProvisioningStateFailed
UserErrorVmNotInDesirableState VmNotInDesirableState UserErrorFsFreezeFailed ExtensionSnapshotFailedCOM
ExtensionInstallationFailedCOM ExtensionInstallationFailedMDTC ExtensionFailedVssWriterInBadState
ExtensionFailedVssServiceInBadState ExtensionConfigParsingFailure ExtensionStuckInDeletionState
ExtensionFailedSnapshotLimitReachedError ExtensionFailedTimeoutVMNetworkUnresponsive ExtensionSnapshotFailedNoNetwork
ExtensionSnapshotFailedNoSecureNetwork ExtensionVCRedistInstallationFailure ExtensionSnapshotBitlockerError
ExtensionOperationFailedForManagedDisks BackUpOperationFailed BackUpOperationFailedV2 UserErrorRpCollectionLimitReached
UserErrorBackupOperationInProgress UserErrorCrpReportedUserError UserErrorKeyvaultPermissionsNotConfigured
UserErrorUnsupportedDiskSize UserErrorBcmDatasourceNotPresent UserErrorRequestDisallowedByPolicy

1 2 4 11 12 13 14 15 16 17 76 85 121 122 123 124 173 300 301 302 303 304 305 306 307 308 309 310 311 312 313 314 315
316 317 318 402 500 501 502 503 504 505 506 507 508 509 510 511 512 556 761
1000 1001 1002 1003 1004 1005 1007 1008 1009 1010 1011 1012

TooManyRequests ScopeLocked Conflict ConflictingRequest OperationPreempted AttachDiskWhileBeingDetached
DiskProcessingError DiskPreparationError ArtifactNotFound ArtifactVersionNotFound VMExtensionProvisioningError
VMExtensionProvisioningTimeout RequestDisallowedByPolicy AuthorizationFailed LinkedAuthorizationFailed
ResourceNotFound ParentResourceNotFound SubscriptionNotFound InvalidAuthenticationTokenTenant

AADSTS7000215 AADSTS7000222 AADSTS90002 AADSTS700016 AADSTS700027
"""
EVERY_ENTRY = pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.key)


def sentences(text: str) -> int:
    return len(re.findall(r"[.!?](?=\s+[A-Z(]|\)?$)", text))


@EVERY_ENTRY
def test_the_example_is_explained_by_its_entry_and_by_no_other(entry: Entry) -> None:
    example = entry.example
    failure = failures._Failure(example.code, example.message, example.status, example.os)
    fits = {other.key: fit for other in CATALOGUE if (fit := failures._fit(other, failure)) is not None}
    best = max(fits.values())
    assert [key for key, fit in fits.items() if fit == best] == [entry.key]


@EVERY_ENTRY
def test_every_code_of_an_entry_leads_to_it(entry: Entry) -> None:
    example = entry.example
    for code in filter(None, entry.codes):
        message = example.message.replace(example.code, code) if entry.words else ""
        assert explain(code, message, status=example.status, os=example.os).key == entry.key, code


@EVERY_ENTRY
def test_a_reworded_message_in_capitals_and_lines_is_explained_alike(entry: Entry) -> None:
    example = entry.example
    shouted = example.message.upper().replace(" ", "\r\n ", 1)
    assert explain(example.code, shouted, status=example.status, os=example.os).key == entry.key


@EVERY_ENTRY
def test_a_remedy_begins_with_what_to_do_and_is_short(entry: Entry) -> None:
    assert re.split(r"\W", entry.remedy)[0] in VERBS.split()
    assert 1 <= sentences(entry.remedy) <= 2
    assert entry.remedy.endswith((".", ".)"))
    assert len(entry.remedy) < 320


@EVERY_ENTRY
def test_a_cause_is_one_sentence(entry: Entry) -> None:
    assert sentences(entry.cause) == 1
    assert entry.cause.endswith(".")


@EVERY_ENTRY
def test_an_entry_asks_for_something_before_it_applies(entry: Entry) -> None:
    assert entry.codes or entry.words or entry.statuses
    assert entry.seen
    assert entry.docs
    assert entry.os in ("", "linux", "windows")
    assert not entry.words_suffice or entry.words
    re.compile(entry.words)


@EVERY_ENTRY
def test_the_words_of_an_entry_do_not_fit_an_empty_message(entry: Entry) -> None:
    assert not entry.words or re.search(entry.words, ": ", re.IGNORECASE) is None


def test_the_keys_are_unique_and_fit_for_a_playbook() -> None:
    assert [key for key, count in Counter(entry.key for entry in CATALOGUE).items() if count > 1] == []
    assert [entry.key for entry in CATALOGUE if not re.fullmatch(r"[a-z][a-z0-9_]+", entry.key)] == []
    assert "unknown" not in {entry.key for entry in CATALOGUE}


def test_no_code_stands_twice_without_words_status_or_system_to_tell_the_entries_apart() -> None:
    bare = Counter(
        (code.casefold(), entry.os)
        for entry in CATALOGUE
        for code in entry.codes
        if not entry.words and not entry.statuses
    )
    assert [code for code, count in bare.items() if count > 1] == []


def test_every_place_a_failure_can_show_itself_is_covered() -> None:
    assert {seen for entry in CATALOGUE for seen in entry.seen} == set(Seen)


def test_every_group_is_part_of_the_catalogue() -> None:
    assert tuple(entry for entries in GROUPS.values() for entry in entries) == CATALOGUE


@pytest.mark.parametrize("code", DOCUMENTED.split())
def test_every_documented_code_has_an_entry(code: str) -> None:
    assert any(code in entry.codes for entry in CATALOGUE)


def test_the_page_has_every_entry_under_its_key() -> None:
    text = render(GROUPS)
    assert re.findall(r"^### `(.+)`$", text, re.MULTILINE) == [entry.key for entry in CATALOGUE]


@EVERY_ENTRY
def test_the_words_reach_a_bounded_way_so_that_a_hostile_message_costs_little(entry: Entry) -> None:
    assert re.search(r"[*+]", entry.words.replace(r"\+", "")) is None
