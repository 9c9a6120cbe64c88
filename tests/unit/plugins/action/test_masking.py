# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Secrets that were given to a task do not come back in its result, whoever repeats them."""

from __future__ import annotations

import json

import pytest
from ansible_collections.appconsistent.azure.plugins.plugin_utils._task.action import _masked


@pytest.mark.parametrize("secret", ["s3cr~et", 'with "quotes" and \\ in it', "pässwörd-日本", "line\nbreak"])
def test_a_secret_is_taken_out_wherever_it_stands(secret: str) -> None:
    hosts = {"vm1": {"cause": f"Azure said: {secret} is wrong", "failure": {"message": secret}, "seconds": 3.0}}
    masked = _masked({"changed": False, "hosts": hosts, "table": ["VM", f"vm1  {secret}"]}, ["another", secret])
    assert json.dumps(secret)[1:-1] not in json.dumps(masked)
    assert masked["hosts"]["vm1"]["failure"]["message"] == "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
    assert masked["hosts"]["vm1"]["seconds"] == 3.0


def test_a_secret_made_of_digits_is_taken_out_as_a_number_too() -> None:
    assert "123456" not in json.dumps(_masked({"hosts": {"vm1": {"count": 123456}}}, ["123456"]))


def test_a_result_without_a_secret_stays_as_it_is() -> None:
    result = {"changed": True, "hosts": {"vm1": {"findings": [], "next_attempt": ""}}}
    assert _masked(result, ["s3cr~et"]) == result
    assert _masked(result, []) == result
