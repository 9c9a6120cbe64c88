# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A survey of VSS as the result that a playbook sees, the same for the check and for the repair."""

from __future__ import annotations

import typing as t

from ..module_utils._finding import Finding, ranked, verdict
from ._vss_findings import findings
from ._vss_services import Services
from ._vss_survey import Survey

# What VSS itself consists of; IaaSVmProvider is what the Azure extension adds.
_OWN_SERVICES: t.Final = ("VSS", "swprv", "IaaSVmProvider")


def report(survey: Survey, services: Services, further: t.Iterable[Finding] = ()) -> dict[str, t.Any]:
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
