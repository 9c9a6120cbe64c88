# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a user is told about a failure."""

from __future__ import annotations

import pytest
from ansible_collections.appconsistent.azure.plugins.plugin_utils._failures.catalogue import CATALOGUE
from ansible_collections.appconsistent.azure.plugins.plugin_utils._failures.explain import (
    Retry,
    explain,
    starts_writer_fallback,
)

WRITERS = "Restore Point creation failed due to VSS Writers in bad state. Restart VSS Writer services and reboot VM."


def test_one_code_is_told_apart_by_its_message() -> None:
    com = "Restore Point creation failed due to COM+ error. Please restart windows service."
    assert explain("VMRestorePointClientError", WRITERS).key == "vss_writers_bad"
    assert explain("VMRestorePointClientError", com).key == "com_plus_error"
    assert explain("VMRestorePointClientError", "Something new.").key == "restore_point_client_error"


@pytest.mark.parametrize(
    "message",
    [
        "Restore point creation failed because one or more VSS writers were found in a bad state on the machine.",
        "RestorePoint could not be taken: VSS writer 'SqlServerWriter' is in bad state",
        "restore point failure,\nVSS   WRITERS IN BAD STATE",
    ],
)
def test_a_message_that_microsoft_rewords_is_still_known(message: str) -> None:
    assert explain("VMRestorePointClientError", message).key == "vss_writers_bad"


def test_a_telling_message_is_known_under_a_new_code() -> None:
    """Microsoft's page gives one message two codes, heading and body; a third one must not make it unknown."""
    assert explain("VMRestorePointUserError", WRITERS).key == "vss_writers_bad"
    assert explain("InternalError", WRITERS).key == "vss_writers_bad"
    assert explain("Conflict", "Changes were made to the Virtual Machine while ...").key == "vm_changed_during_create"


@pytest.mark.parametrize(
    ("code", "message", "key"),
    [
        ("", f"VMRestorePointClientError: {WRITERS}", "vss_writers_bad"),
        ("", "(AuthorizationFailed) The client 'a' may not do this.", "rights_missing"),
        ("invalid_client", "AADSTS7000222: The provided client secret keys are expired.", "secret_expired"),
        (
            "VMExtensionProvisioningError",
            "VM has reported a failure when processing extension 'VMSnapshotLinux'. Error message: \"PreScript failed "
            'for the plugin ScriptRunner StatusCode.FailedPrepostPreScriptFailed,".',
            "pre_script_failed",
        ),
        ("UserErrorCrpReportedUserError", '{"code":"ScopeLocked","message":"..."}', "locked"),
        (
            "VMExtensionHandlerNonTransientError",
            "Handler 'Contoso.Tool' has reported failure for VM Extension 'Tool' with terminal error code '1009' and "
            "error message: '...'",
            "agent_enable",
        ),
    ],
)
def test_a_code_inside_the_message_is_found(code: str, message: str, key: str) -> None:
    assert explain(code, message).key == key


def test_another_extensions_exit_status_is_not_taken_for_a_code_of_the_snapshot_extension() -> None:
    message = "Handler 'Contoso.Tool' has reported failure for VM Extension 'Tool' with terminal error code '300'"
    assert explain("VMExtensionHandlerNonTransientError", message, os="linux").key == "other_extension_failed"


def test_an_inner_code_beats_the_wrapper_even_when_the_wrapper_has_words_of_its_own() -> None:
    wrapped = "VM has reported a failure when processing extension 'VMSnapshot'."
    assert explain("VMExtensionProvisioningError", wrapped).key == "snapshot_extension_failed"
    assert explain("VMExtensionProvisioningError", f"{wrapped} 0x800423F4").key == "vss_writer_not_retryable"


def test_operation_not_allowed_is_terminal_or_passing_by_status_and_words() -> None:
    def retry(message: str, status: int) -> Retry:
        return explain("OperationNotAllowed", message, status=status).retry

    assert retry("The VM is not running.", 409) is Retry.FIX_FIRST
    assert retry("Operation 'x' is not allowed on VM 'v' since another operation is in progress.", 409) is Retry.LATER
    assert retry("The server rejected the request because too many requests have been received.", 429) is Retry.LATER
    assert retry("Operation 'x' is not allowed on VM 'v' since the VM is generalized.", 409) is Retry.NEVER


@pytest.mark.parametrize("code", ["SubscriptionRequestsThrottled", "TooManyRequests", "OperationNotAllowed", "New", ""])
def test_429_is_waited_for_under_whatever_code(code: str) -> None:
    assert explain(code, "Slow down.", status=429).retry is Retry.LATER


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
def test_a_fault_of_the_server_is_tried_again(status: int) -> None:
    assert explain(f"HTTP{status}", "no message", status=status).key == "server_fault"


def test_a_lock_is_never_waited_for() -> None:
    message = "The scope '/subscriptions/s/resourceGroups/g' cannot perform delete operation because it is locked."
    assert (
        explain("ScopeLocked", f"{message} Please remove the lock and try again.", status=409).retry is Retry.FIX_FIRST
    )


def test_advice_fits_the_system_of_the_guest_where_that_is_known() -> None:
    message = "VM 'a' has not reported status for VM agent or extensions."
    assert "walinuxagent" in explain("VMAgentStatusCommunicationError", message, os="linux").remedy
    assert "WindowsAzureGuestAgent" in explain("VMAgentStatusCommunicationError", message, os="Windows").remedy
    assert explain("VMAgentStatusCommunicationError", message).key == "agent_silent"


def test_a_linux_number_says_nothing_about_a_windows_guest() -> None:
    assert explain("300", "", os="linux").key == "pre_script_failed"
    assert explain("300", "").key == "pre_script_failed"
    assert explain("300", "", os="windows").key == "unknown"


def test_an_unknown_failure_keeps_azures_words_and_asks_for_a_fix() -> None:
    explanation = explain("FluxCapacitorDrained", "The flux capacitor of VM 'a' is empty.", status=409)
    assert explanation.key == "unknown"
    assert explanation.cause == "Azure said: FluxCapacitorDrained: The flux capacitor of VM 'a' is empty."
    assert explanation.remedy.startswith("Put right what Azure names")
    assert explanation.retry is Retry.FIX_FIRST
    assert explanation.docs == ""


@pytest.mark.parametrize(
    ("message", "status"),
    [("Please retry later.", None), ("The request timed out.", 409), ("A transient error occurred.", None), ("", 599)],
)
def test_an_unknown_failure_that_says_it_passes_is_tried_again(message: str, status: int | None) -> None:
    assert explain("FluxCapacitorDrained", message, status=status).retry is Retry.LATER


def test_no_code_and_no_message_is_said_as_such() -> None:
    assert explain("", " \n ").cause == "Azure gave neither a code nor a message."


def test_what_is_shown_of_an_unknown_failure_is_one_bounded_line_without_signatures() -> None:
    url = "https://blob.example.test/c/d?sig=verysecret&se=2026"
    cause = explain("New", f"line one\nline two \x1b[31m{url}\x00 " + "x" * 50_000).cause
    assert "verysecret" not in cause
    assert "\n" not in cause
    assert "\x1b" not in cause
    assert "line one line two" in cause
    assert len(cause) < 700


def test_a_huge_hostile_message_is_searched_within_bounds() -> None:
    late = "x" * 20_000 + " VSS writers in bad state of the restore point"
    assert explain("New", late).key == "unknown"
    assert explain("x" * 1_000_000, "restore point " * 100_000).key == "unknown"


def test_a_failed_writer_costs_three_attempts_and_nothing_else_does() -> None:
    fallback = {entry.key for entry in CATALOGUE if starts_writer_fallback(entry.key)}
    assert {"vss_writers_bad", "backup_vss_writers_bad", "vss_writer_not_retryable"} <= fallback
    assert fallback.isdisjoint({"com_plus_error", "agent_silent", "pre_script_failed", "vss_busy"})
    assert not starts_writer_fallback("unknown")


@pytest.mark.parametrize("os", [None, "linux", "windows"])
@pytest.mark.parametrize("status", [None, 400, 401, 403, 404, 409, 412, 429, 500])
def test_every_failure_gets_a_cause_and_a_next_step(os: str | None, status: int | None) -> None:
    for code in ("", "Conflict", "OperationNotAllowed", "VMRestorePointInternalError", "300", "New"):
        explanation = explain(code, "Something happened.", status=status, os=os)
        assert explanation.cause
        assert explanation.remedy


@pytest.mark.parametrize(
    ("code", "message", "key"),
    [
        (
            "OperationNotAllowed",
            "The number of restore points across restore point collections and resource groups for a VM cannot exceed "
            "500. To create a new restore point, please delete existing restore points.",
            "restore_point_limit",
        ),
        ("OperationNotAllowed", "Another operation is being performed on the resource.", "operation_in_progress"),
        ("Conflict", "The request failed due to conflict with a concurrent request.", "operation_in_progress"),
        ("AnotherOperationInProgress", "Another operation on this or dependent resource.", "operation_in_progress"),
        ("OperationNotAllowed", "The VM 'db1' has been moved to another resource group.", "resource_moved"),
        ("Conflict", "The resource is locked by a move operation.", "resource_moved"),
        ("OperationNotAllowed", "This removed nothing.", "operation_not_allowed"),
        ("", "Snapshot operation failed due to VSS Writers in bad state", "vss_writers_bad"),
        ("", "Snapshot operation failed due to COM+ error", "com_plus_error"),
        ("", "Snapshot operation failed due to inadequate VM resources.", "vm_resources"),
        (
            "ScopeLocked",
            "The scope '/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/restorePointCollections/c/"
            "restorePoints/p' cannot perform write operation because following scope(s) are locked: '/sub'.",
            "restore_points_read_only",
        ),
    ],
)
def test_azures_own_words_are_known(code: str, message: str, key: str) -> None:
    assert explain(code, message, status=409).key == key
