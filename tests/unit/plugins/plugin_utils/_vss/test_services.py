# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The table of writers and their services."""

from __future__ import annotations

import re

import pytest
from ansible_collections.appconsistent.azure.plugins.plugin_utils._errors import InvalidInput
from ansible_collections.appconsistent.azure.plugins.plugin_utils._vss.options import checked_service, services_of
from ansible_collections.appconsistent.azure.plugins.plugin_utils._vss.services import (
    FORBIDDEN_SERVICES,
    SERVICE_NAME,
    TABLE,
    Services,
    WriterService,
)

TIMES = {"list_timeout": 180, "busy_timeout": 0}


def test_ids_are_guids_in_lower_case_and_no_two_rows_share_one() -> None:
    ids = [row.id for row in TABLE if row.id]
    assert all(re.fullmatch(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}", guid) for guid in ids)
    assert len(set(ids)) == len(ids)
    assert len({row.writer.casefold() for row in TABLE}) == len(TABLE)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.writer)
def test_what_a_tool_must_not_restart_says_what_a_person_should_do(row: WriterService) -> None:
    if row.impact in ("forbidden", "none"):
        assert row.person.endswith(".")
    if row.service.casefold() in FORBIDDEN_SERVICES:
        assert row.impact == "forbidden"
    if row.impact == "none":
        assert row.service == ""
    assert not row.service or SERVICE_NAME.fullmatch(row.service.format(instance="ORCL"))


def test_a_writer_of_oracle_has_its_instance_in_its_name_and_its_services() -> None:
    row = Services().find("", "Oracle VSS Writer - orcl")
    assert row is not None
    assert row.service == "OracleVssWriterorcl"
    needed = dict(Services().needed(["OracleServiceORCL", "OracleServiceTEST", "OracleOraHome19TNSListener"]))
    services = sorted(row.service for row in needed if row.needed_by.startswith("Oracle"))
    assert services == ["OracleVssWriterORCL", "OracleVssWriterTEST"]


@pytest.mark.parametrize(
    ("running", "needed"),
    [
        ("MSSQLSERVER", "SQLWriter"),
        ("mssql$payroll", "SQLWriter"),
        ("MSSQL$MICROSOFT##WID", "WIDWriter"),
        ("W3SVC", "AppHostSvc"),
        ("MSExchangeIS", "MSExchangeRepl"),
        ("MSSQLFDLauncher", ""),
        ("SQLAgent$PAYROLL", ""),
        ("MSSQL$", ""),
    ],
)
def test_a_running_application_needs_the_service_of_its_writer(running: str, needed: str) -> None:
    found = {row.service for row, because in Services().needed([running]) if because}
    assert found == ({needed} if needed else set())


def test_a_writer_is_found_by_its_id_whatever_it_is_called() -> None:
    row = Services().find("E8132975-6F93-4464-A53E-1050253AE220", "Systemverfasser")
    assert row is not None
    assert row.service == "CryptSvc"


def test_a_writer_without_a_known_id_is_found_by_its_name_whatever_the_case() -> None:
    row = Services().find("00000000-0000-0000-0000-000000000000", "sharepoint services writer")
    assert row is not None
    assert row.service == "SPWriter"


@pytest.mark.parametrize(
    ("name", "service"),
    [
        ("MSMQ Writer (MSMQ)", "MSMQ"),
        ("MSMQ Writer (MSMQ$cluster1)", "MSMQ$cluster1"),
        ("MSMQ Writer (Stop-Computer)", "MSMQ"),
    ],
)
def test_the_service_inside_a_message_queue_writers_name_is_used_if_it_is_one(name: str, service: str) -> None:
    row = Services().find("7e47b561-971a-46e6-96b9-696eeaa53b2a", name)
    assert row is not None
    assert row.service == service


def test_each_directory_instance_has_a_service_of_its_own() -> None:
    row = Services().find("dd846aaa-a1b6-42a8-aaf8-03dcb6114bfd", "ADAM (instance7) Writer")
    assert row is not None
    assert row.service == "ADAM_instance7"


@pytest.mark.parametrize("writer", ["System Writer", "{E8132975-6f93-4464-a53e-1050253ae220}"])
def test_a_users_row_goes_before_the_table(writer: str) -> None:
    rows = [{"writer": writer, "service": "Other", "impact": "quiet"}]
    services = services_of({**TIMES, "writer_services": rows})
    row = services.find("e8132975-6f93-4464-a53e-1050253ae220", "System Writer")
    assert row is not None
    assert row.service == "Other"


@pytest.mark.parametrize("name", ["NTDS", "clussvc", "EventSystem", "MSExchangeIS"])
def test_not_even_a_user_can_have_a_forbidden_service_restarted(name: str) -> None:
    with pytest.raises(InvalidInput, match=f"allow_outage: the service {name} must not be restarted by a tool"):
        checked_service(name, "allow_outage")
    with pytest.raises(InvalidInput, match="must not be restarted"):
        services_of({**TIMES, "writer_services": [{"writer": "x", "service": name, "impact": "brief"}]})


@pytest.mark.parametrize("name", ["*", "SQL*", "a?", "[a]", "a;b", "a'b", "", "a\nb", "x" * 300])
def test_a_name_that_powershell_could_take_for_a_pattern_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="cannot be the name of a Windows service"):
        checked_service(name, "allow_outage")


@pytest.mark.parametrize(("option", "value"), [("list_timeout", 5), ("list_timeout", 4000), ("busy_timeout", -1)])
def test_times_out_of_range_are_refused_by_name(option: str, value: int) -> None:
    with pytest.raises(InvalidInput, match=f"{option} must be from"):
        services_of({**TIMES, option: value, "writer_services": []})
