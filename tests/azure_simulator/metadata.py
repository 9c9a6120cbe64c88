"""`/metadata/endpoints`: how clients find a cloud's other addresses. Three forms are in use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .exchange import Response, answer

NAME = "AppConsistentSimulator"


def endpoints(base_url: str, tenant_id: str, query: Mapping[str, str]) -> Response:
    version = query.get("api-version", "")
    if version == "2015-01-01":
        return answer(
            200,
            {
                "galleryEndpoint": f"{base_url}/gallery",
                "graphEndpoint": f"{base_url}/graph",
                "portalEndpoint": f"{base_url}/portal",
                "graphAudience": f"{base_url}/graph",
                "authentication": {"loginEndpoint": base_url, "audiences": [f"{base_url}/", base_url]},
            },
        )
    if version < "2019-05-01":
        return answer(
            400,
            {
                "error": {
                    "code": "MissingApiVersionParameter" if not version else "InvalidApiVersionParameter",
                    "message": f"The api-version '{version}' of the metadata endpoint is invalid.",
                }
            },
        )
    cloud = _cloud(base_url, tenant_id)
    return answer(200, [cloud] if version == "2019-05-01" else cloud)


def _cloud(base_url: str, tenant_id: str) -> dict[str, Any]:
    host = base_url.split("://", 1)[1].split(":")[0]
    return {
        "name": NAME,
        "portal": f"{base_url}/portal",
        "authentication": {
            "loginEndpoint": base_url,
            "audiences": [f"{base_url}/", base_url],
            "tenant": tenant_id,
            "identityProvider": "AAD",
        },
        "resourceManager": f"{base_url}/",
        "graph": f"{base_url}/graph",
        "graphAudience": f"{base_url}/graph",
        "microsoftGraphResourceId": f"{base_url}/graph",
        "gallery": f"{base_url}/gallery",
        "batch": f"{base_url}/batch",
        "media": f"{base_url}/media",
        "sqlManagement": f"{base_url}/sql",
        "vmImageAliasDoc": f"{base_url}/aliases.json",
        "activeDirectoryDataLake": f"{base_url}/datalake",
        "attestationResourceId": f"{base_url}/attestation",
        "logAnalyticsResourceId": f"{base_url}/logs",
        "suffixes": {
            "storage": f"core.{host}",
            "keyVaultDns": f"vault.{host}",
            "sqlServerHostname": f"database.{host}",
            "mysqlServerEndpoint": f"mysql.{host}",
            "postgresqlServerEndpoint": f"postgres.{host}",
            "mariadbServerEndpoint": f"mariadb.{host}",
            "acrLoginServer": f"acr.{host}",
            "azureDataLakeStoreFileSystem": f"datalakestore.{host}",
            "azureDataLakeAnalyticsCatalogAndJob": f"datalakeanalytics.{host}",
        },
    }
