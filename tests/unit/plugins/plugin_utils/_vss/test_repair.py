# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A repair when the guest answers late, not at all, or in between; and the pauses of waiting."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.appconsistent.azure.plugins.plugin_utils._vss.plan import RepairPolicy
from ansible_collections.appconsistent.azure.plugins.plugin_utils._vss.repair import (
    Interrupted,
    Limits,
    Repair,
    Repairer,
)
from ansible_collections.appconsistent.azure.plugins.plugin_utils._vss.report import repair_report
from ansible_collections.appconsistent.azure.plugins.plugin_utils._vss.services import Services
from ansible_collections.appconsistent.azure.plugins.plugin_utils._windows.guest import (
    CommandFailed,
    ConnectionLost,
    Output,
)

from tests.winrm_guest.direct import Bench
from tests.winrm_guest.machine import machine

WMI_FAILED = {"WMI Writer": {"state": 7, "error": "retryable"}}


def repair(bench: Bench, busy: int = 120, settle: int = 120) -> Repair:
    return Repairer(bench.guest, Services(), RepairPolicy(), Limits(180, busy, settle)).run()


def codes(result: Repair) -> list[str]:
    told = repair_report(result, Services(), "win1", check_mode=False)
    return [finding["code"] for finding in told["findings"]]


def stops(bench: Bench) -> list[str]:
    return [arguments["service"] for arguments in bench.received("restart_service") if arguments["stop"]]


@pytest.mark.parametrize("fault", ["drop_before", "drop_after"])
def test_a_connection_lost_during_a_restart_is_followed_up_and_said(fault: str) -> None:
    bench = Bench(machine(writers=WMI_FAILED, faults=[["restart_service", fault]]))
    result = repair(bench)
    # Sent once as a restart; what may have stayed stopped is started, without another stop.
    assert stops(bench) == ["Winmgmt"]
    assert [arguments["stop"] for arguments in bench.received("restart_service")] == [True, False]
    assert [restart.outcome for restart in result.restarts] == ["unknown"]
    assert "vss.connection_lost" in codes(result)
    assert all(bench.machine.services[name].status == "Running" for name in ("Winmgmt", "iphlpsvc", "CcmExec"))
    assert result.healed is (fault == "drop_after")


def test_a_service_that_stayed_stopped_when_the_connection_broke_is_started_with_its_dependents() -> None:
    guest = machine(writers=WMI_FAILED, faults=[["restart_service", "drop_before"]])
    bench = Bench(guest)
    # The guest stopped the service and never got to start it.
    bench.guest.tell = lambda text: _stop_everything(guest) if "connecting again" in text else None
    result = repair(bench)
    assert all(guest.services[name].status == "Running" for name in ("Winmgmt", "iphlpsvc", "CcmExec"))
    assert guest.services["smstsmgr"].status == "Stopped"
    assert result.healed


def _stop_everything(guest: t.Any) -> None:
    for name in ("iphlpsvc", "CcmExec", "Winmgmt"):
        guest.services[name].status = "Stopped"


def test_a_guest_that_is_away_for_a_while_is_waited_for_with_growing_pauses() -> None:
    bench = Bench(machine(writers=WMI_FAILED, faults=[["restart_service", "drop_after"]], away=3))
    assert repair(bench).healed
    assert bench.time.slept[:4] == [5.0, 10.0, 20.0, 30.0]


def test_a_guest_that_never_comes_back_is_reported_with_the_services_to_look_at() -> None:
    bench = Bench(machine(writers=WMI_FAILED, faults=[["restart_service", "drop_before"]], away=99))
    with pytest.raises(Interrupted) as error:
        repair(bench)
    assert str(error.value) == (
        "win1 could not be looked at any more after services were restarted there: The connection to win1 broke: reset"
        " by peer. See that these services run: Winmgmt, iphlpsvc, CcmExec."
    )
    assert [restart.outcome for restart in error.value.restarts] == ["unknown"]
    assert sum(bench.time.slept) < 300


def test_a_guest_that_is_lost_before_anything_was_done_is_simply_unreachable() -> None:
    bench = Bench(machine(writers=WMI_FAILED, faults=[["survey", "drop_before"], ["survey", "drop_before"]]))
    with pytest.raises(ConnectionLost):
        repair(bench)


def test_a_guest_that_cannot_be_asked_again_after_the_restart_names_what_was_restarted() -> None:
    faults = [["restart_service", "noise"], ["survey", "noise"], ["survey", "script_error"]]
    bench = Bench(machine(writers=WMI_FAILED, faults=faults))
    with pytest.raises(Interrupted, match=r"survey failed on win1.*See that these services run: Winmgmt"):
        repair(bench)


def test_an_error_of_powershell_in_a_restart_leaves_nothing_stopped() -> None:
    bench = Bench(machine(writers=WMI_FAILED, faults=[["restart_service", "script_error"]]))
    result = repair(bench)
    assert [restart.outcome for restart in result.restarts] == ["failed"]
    assert [arguments["stop"] for arguments in bench.received("restart_service")] == [True, False]
    assert "vss.reboot_required" in codes(result)


def test_a_service_that_is_gone_is_an_error_of_that_step_only() -> None:
    guest = machine(
        writers={**WMI_FAILED, "SqlServerWriter": {"state": 8, "error": "non_retryable"}},
        faults=[["restart_service", "script_error"]],
    )
    result = repair(Bench(guest))
    assert [(restart.step.service, restart.outcome) for restart in result.restarts] == [
        ("SQLWriter", "failed"),
        ("Winmgmt", "restarted"),
    ]


def test_dependents_that_the_restart_did_not_bring_back_are_started_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    guest = machine(writers=WMI_FAILED)
    bench = Bench(guest)
    # Something on the guest stops one of them again right after the restart.
    original = bench.transport.execute

    def execute(command_line: str, stdin: bytes | None, seconds: float) -> Output:
        output = original(command_line, stdin, seconds)
        if stops(bench) and guest.changes == 1:
            guest.services["iphlpsvc"].status = "Stopped"
        return output

    monkeypatch.setattr(bench.transport, "execute", execute)
    result = repair(bench)
    assert guest.services["iphlpsvc"].status == "Running"
    assert "vss.service_not_restored" not in codes(result)


def test_waiting_for_busy_writers_pauses_longer_each_time_and_says_so() -> None:
    bench = Bench(machine(services={"VSS": {"status": "Running"}}, writers={"SqlServerWriter": {"state": 5}}))
    result = repair(bench, busy=200)
    assert bench.time.slept == [5.0, 10.0, 15.0, 20.0, 30.0, 30.0, 30.0, 30.0, 30.0]
    assert sum(bench.time.slept) == 200
    assert bench.told[0] == "waiting for busy writers: SqlServerWriter, 200 s left"
    assert (bench.machine.changes, result.restarts) == (0, [])


def test_no_time_to_wait_is_one_look() -> None:
    bench = Bench(machine(writers={"SqlServerWriter": {"state": 5}}))
    repair(bench, busy=0)
    assert bench.commands == ["survey"]


def test_a_healthy_guest_is_asked_once() -> None:
    bench = Bench(machine())
    assert not repair(bench).changed
    assert bench.commands == ["survey"]


def test_one_bad_service_costs_three_round_trips() -> None:
    bench = Bench(machine(writers=WMI_FAILED))
    repair(bench)
    assert bench.commands == ["survey", "restart_service", "survey"]


def test_the_services_that_will_stop_are_told_before_it_happens() -> None:
    bench = Bench(machine(writers=WMI_FAILED))
    repair(bench)
    assert bench.told[0] == "restarting Winmgmt for WMI Writer, and with it iphlpsvc, CcmExec"


def test_the_list_of_the_plan_names_dependents_that_run_and_no_others() -> None:
    result = repair(Bench(machine(writers=WMI_FAILED), check_mode=True))
    assert [(step.step.service, set(step.step.dependents)) for step in result.restarts] == [
        ("Winmgmt", {"iphlpsvc", "CcmExec"})
    ]


def test_a_service_whose_stop_would_take_a_forbidden_one_down_is_left() -> None:
    guest = machine(
        services={"NTDS": {"start": 2, "needs": ["CryptSvc"]}},
        writers={
            "System Writer": {"state": 9, "error": "timed_out"},
            "NTDS": {
                "id": "b2014c9e-8711-4c5c-a5a9-3cf384484757",
                "instance": "1bddd48e-0000-4000-8000-0000000000f1",
                "service": "NTDS",
            },
        },
    )
    result = repair(Bench(guest))
    assert result.restarts == []
    assert [left.reason for left in result.left] == ["NTDS would stop with CryptSvc"]
    assert result.reboot_required


def test_quiet_leaves_what_costs_more() -> None:
    bench = Bench(machine(writers={**WMI_FAILED, "System Writer": {"state": 9, "error": "timed_out"}}))
    result = Repairer(bench.guest, Services(), RepairPolicy(max_impact="quiet"), Limits(180, 0, 120)).run()
    assert [restart.step.service for restart in result.restarts] == ["CryptSvc"]
    assert [left.service for left in result.left] == ["Winmgmt"]


def test_a_second_run_after_a_repair_changes_nothing() -> None:
    guest = machine(writers=WMI_FAILED)
    assert repair(Bench(guest)).changed
    guest.received.clear()
    again = Bench(guest)
    assert not repair(again).changed
    assert again.commands == ["survey"]


def test_the_diff_of_a_plan_is_the_diff_of_the_repair() -> None:
    planned = repair(Bench(machine(writers=WMI_FAILED), check_mode=True))
    done = repair(Bench(machine(writers=WMI_FAILED)))
    plan = repair_report(planned, Services(), "win1", check_mode=True)
    result = repair_report(done, Services(), "win1", check_mode=False)
    assert plan["diff"] == result["diff"]
    assert plan["diff"]["before"] != plan["diff"]["after"]
    assert (plan["changed"], plan.get("failed")) == (True, None)


def test_a_command_error_before_anything_was_done_is_passed_on() -> None:
    bench = Bench(machine(faults=[["survey", "script_error"]]))
    with pytest.raises(CommandFailed):
        repair(bench)
