# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The third-party libraries of the Azure side, and what to say where they are missing.

Every other file takes them from here, so that the collection can be imported (and documented) without them.
"""

from __future__ import annotations

import sys
import typing as t

MISSING = ""

try:
    import pycurl
    from azure.core.credentials import AccessToken
    from azure.core.credentials_async import AsyncTokenCredential
    from azure.core.exceptions import (
        ClientAuthenticationError,
        HttpResponseError,
        ServiceRequestError,
        ServiceResponseError,
    )
    from azure.core.pipeline import AsyncPipeline, PipelineRequest, PipelineResponse
    from azure.core.pipeline.policies import AsyncHTTPPolicy, UserAgentPolicy
    from azure.core.pipeline.transport import AsyncHttpTransport
    from azure.core.rest import AsyncHttpResponse, HttpRequest
    from azure.core.utils import CaseInsensitiveDict
    from azure.mgmt.core.policies import AsyncARMChallengeAuthenticationPolicy
except ImportError as _error:
    MISSING = str(_error)

    def __getattr__(name: str) -> t.Any:
        return type(name, (Exception,), {"__class_getitem__": classmethod(lambda cls, _item: cls)})

else:
    # New in 7.47, which requirements.txt asks for; a distribution's own package is often older.
    if not hasattr(pycurl, "AsyncCurlMulti"):
        MISSING = f"pycurl is too old ({pycurl.version.partition(' ')[0].partition('/')[2]}), 7.47 is needed"

REQUIREMENTS = "azure-core azure-identity azure-mgmt-core 'pycurl>=7.47'"


def missing_sentence() -> str:
    """Return what to tell the user, empty when all libraries are there."""
    if not MISSING:
        return ""
    return (
        f"The Python that runs Ansible on this controller ({sys.executable}) lacks a library of "
        f"appconsistent.azure: {MISSING}. Install with: {sys.executable} -m pip install --upgrade {REQUIREMENTS}"
    )


__all__ = [
    "MISSING",
    "AccessToken",
    "AsyncARMChallengeAuthenticationPolicy",
    "AsyncHTTPPolicy",
    "AsyncHttpResponse",
    "AsyncHttpTransport",
    "AsyncPipeline",
    "AsyncTokenCredential",
    "CaseInsensitiveDict",
    "ClientAuthenticationError",
    "HttpRequest",
    "HttpResponseError",
    "PipelineRequest",
    "PipelineResponse",
    "ServiceRequestError",
    "ServiceResponseError",
    "UserAgentPolicy",
    "missing_sentence",
    "pycurl",
]
