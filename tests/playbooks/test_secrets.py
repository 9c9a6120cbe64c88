# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""No secret that a module takes is logged on a guest or printed on the controller, whatever its characters."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.appconsistent.azure.plugins.plugin_utils._task.action import _forms, _masked

from .conftest import Controller, Json

# Each holds a word that nothing else does, so any rendering of it is found.
WORD = "hunter7"
SECRETS = [
    f"{WORD}plain",
    f"back\\slash{WORD}",
    f"tab-like\\t{WORD}\\n",
    f"one'quote{WORD}",
    f'two"quotes{WORD}',
    f"both'\"{WORD}",
    f"no-break\u00a0{WORD}",
    f"next\u0085line{WORD}",
    f"separator\u2028{WORD}",
    f"zero\u200bwidth{WORD}",
    f"bidi\u202e{WORD}",
    f"emoji\U0001f511{WORD}",
    f"per%41cent&{WORD}+ #/?",
    f"$(dollar)`{WORD}`",
    f"=='{WORD}",
]
# What a guest's Python does before anything else: whatever goes to syslog, goes to a file.
CAPTURE = """
import os, syslog
def keep(*told):
    with open(os.environ["SYSLOG_KEPT"], "a", encoding="utf-8", errors="backslashreplace") as kept:
        kept.write(str(told[-1]) + chr(10))
syslog.syslog = keep
"""


@pytest.fixture
def kept(controller: Controller) -> Path:
    """Have what modules send to syslog kept in a file."""
    folder = controller.folder / "first"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(CAPTURE)
    controller.environment |= {"PYTHONPATH": str(folder), "SYSLOG_KEPT": str(controller.folder / "syslog")}
    return controller.folder / "syslog"


def scripts(number: int, secret: str) -> Json:
    """A deployment with every option that is a secret."""
    profiles = [
        {"name": "redis", "label": f"r{number}", "user": "azure", "password": secret},
        {"name": "mongodb", "label": f"m{number}", "uri": f"mongodb://azure:{secret}@localhost/"},
    ]
    return {
        "name": f"deploy {number}",
        "appconsistent.azure.snapshot_scripts": {"profiles": profiles},
        "check_mode": True,
        "ignore_errors": True,
    }


def test_no_secret_of_a_guests_module_reaches_syslog_or_the_screen(controller: Controller, kept: Path) -> None:
    controller.fleet({"name": "db1"})
    controller.variables["db1"] = {
        "ansible_connection": "local",
        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
    }
    tasks = [scripts(number, secret) for number, secret in enumerate(SECRETS)]
    run = controller.play(*tasks, arguments=["-vvv", "--diff"])
    logged = kept.read_text()
    assert logged.count("Invoked with") == len(SECRETS)
    assert "'user': 'azure'" in logged
    assert [line for line in logged.splitlines() if WORD in line] == []
    assert [line for line in run.output.splitlines() if WORD in line] == []


def test_no_secret_of_an_azure_task_is_printed(controller: Controller) -> None:
    controller.fleet({"name": "db1", "linux_scripts": "ok"})
    del controller.environment["AZURE_SECRET"]
    others = {"subscriptions": ["00000000-0000-0000-0000-00000000000f"], "client_id": "other", "tenant": "t"}
    tasks: list[Json] = [
        {
            "name": f"sign in {number}",
            "appconsistent.azure.restore_points": {"secret": secret, "credentials": [{**others, "secret": secret}]},
            "run_once": True,
            "ignore_errors": True,
        }
        for number, secret in enumerate(SECRETS[::3])
    ]
    run = controller.play(*tasks, arguments=["-vvv", "--diff"])
    assert run.output.count("AADSTS7000215") >= len(SECRETS[::3])
    assert [line for line in run.output.splitlines() if WORD in line] == []


def test_a_secret_in_the_wrong_option_is_not_repeated(controller: Controller) -> None:
    controller.fleet({"name": "db1", "linux_scripts": "ok"})
    secret = f"Ab8Q~{WORD}.x-Y9"
    wrong: dict[str, Json] = {
        "auth_source": {"auth_source": secret},
        "cloud_environment": {"cloud_environment": secret},
        "an entry": {"credentials": [{"subscriptions": ["s"], "auth_source": secret}]},
        "its cloud": {"credentials": [{"subscriptions": ["s"], "cloud_environment": secret}]},
        "ca_file": {"ca_file": secret},
    }
    tasks = [
        {"name": name, "appconsistent.azure.restore_points": options, "run_once": True, "ignore_errors": True}
        for name, options in wrong.items()
    ]
    run = controller.play(*tasks, arguments=["-vvv"])
    assert run.output.count("not repeated, for it may be a secret") >= len(wrong)
    assert [line for line in run.output.splitlines() if WORD in line] == []
    slip = {"name": "slip", "appconsistent.azure.restore_points": {"auth_source": "azure_cli"}, "run_once": True}
    assert "azure_cli" in controller.play(slip).output


@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_in_what_somebody_said_is_masked_in_every_form(secret: str) -> None:
    for form in _forms(secret):
        result = {"msg": f"refused: {form}", "hosts": {"db1": {"cause": [form]}}}
        assert WORD not in json.dumps(_masked(result, [secret]))
