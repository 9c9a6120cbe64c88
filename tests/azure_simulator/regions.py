"""Region names: Azure writes them in lower case, and in some places in display case (EastUS2EUAP)."""

from __future__ import annotations

import re
from functools import lru_cache

LOCATIONS = ("westeurope", "northeurope", "eastus", "eastus2", "westus2", "germanywestcentral", "uksouth")
WORDS = re.compile(
    r"(east|west|north|south|central|europe|asia|southeast|pacific|japan|korea|india|africa|brazil|canada|france|"
    r"germany|italy|norway|poland|qatar|spain|sweden|switzerland|israel|mexico|newzealand|australia|chile|austria|"
    r"belgium|denmark|finland|greece|indonesia|malaysia|taiwan|jio)|(us|uk|uae|usgov|china|euap)",
)


@lru_cache(maxsize=256)
def display(location: str) -> str:
    return WORDS.sub(lambda found: found[1].capitalize() if found[1] else found[2].upper(), location.lower())
