# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A survey of VSS as the result that a playbook sees, the same for the check and for the repair."""

from __future__ import annotations

import typing as t

from ...module_utils._finding import Finding, ranked, verdict
from .._failures.explain import ATTEMPTS_WITHOUT_WRITERS
from .findings import findings
from .repair import Repair
from .services import Services
from .survey import VssSurvey

# What VSS itself consists of; IaaSVmProvider is what the Azure extension adds.
_OWN_SERVICES: t.Final = ("VSS", "swprv", "IaaSVmProvider")


def report(survey: VssSurvey, services: Services, further: t.Iterable[Finding] = ()) -> dict[str, t.Any]:
    """Return the part of the result that tells of the guest."""
    found = ranked([*further, *findings(survey, services)])
    return {
        "vss_writers": [writer.as_dict() for writer in survey.writers],
        "vss_providers": None if survey.providers is None else [item.as_dict() for item in survey.providers],
        "vss_shadow_storage": None if survey.storage is None else [item.as_dict() for item in survey.storage],
        "vss_volumes": None if survey.volumes is None else [item.as_dict() for item in survey.volumes],
        "vss_services": [service.as_dict() for name in _OWN_SERVICES if (service := survey.services.get(name))],
        "findings": [finding.as_dict() for finding in found],
        "verdict": verdict(found),
    }


def repair_report(repair: Repair, services: Services, host: str, *, check_mode: bool) -> dict[str, t.Any]:
    """Return the result of a repair. It failed where a writer that should be well is not."""
    told = report(repair.after, services, repair.findings)
    from_attempt = ATTEMPTS_WITHOUT_WRITERS + 1 if repair.changed else 1
    result = {
        **told,
        "changed": repair.changed,
        "restarts": [restart.as_dict() for restart in repair.restarts],
        "left": [left.as_dict() for left in repair.left],
        "reboot_required": repair.reboot_required,
        "expected_verdict": report(repair.expected, services, repair.findings)["verdict"],
        "application_consistent_from_attempt": from_attempt if repair.healed else None,
        "diff": {"before": _states(repair.before), "after": _states(repair.after, repair if check_mode else None)},
    }
    ill = told["verdict"] == "error"
    if ill and not (check_mode and repair.after.complete and not repair.after.busy):
        result.update(failed=True, msg=_sentence(repair, told["findings"], host))
    return result


def _sentence(repair: Repair, found: list[dict[str, t.Any]], host: str) -> str:
    first = next(finding for finding in found if finding["severity"] == "error")
    further = sum(finding["severity"] == "error" for finding in found) - 1
    done = f" after {len(repair.restarts)} restart(s)" if repair.changed else ""
    more = f" ({further} more in findings.)" if further else ""
    return f"VSS on {host} is not healthy{done}: {first['message']} {first['remedy']}{more}"


def _states(survey: VssSurvey, planned: Repair | None = None) -> str:
    """One line a writer. In check mode, those whose service would be restarted are shown as they should become."""
    expected = {target.name for restart in planned.restarts for target in restart.step.targets} if planned else set()
    lines = []
    for writer in sorted(survey.writers, key=lambda writer: writer.name.casefold()):
        healthy = writer.name in expected
        lines.append(f"{writer.name}: {'healthy' if healthy else writer.health}\n")
        expected.discard(writer.name)
    return "".join(lines + [f"{name}: healthy\n" for name in sorted(expected)])
