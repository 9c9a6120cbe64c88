# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The rights of the folder MachineKeys, where the extension keeps the key of its settings.

They are read as SDDL, for icacls prints the names of accounts in the language of Windows.
"""

from __future__ import annotations

import re
import typing as t

# The folder's default, as VM assist has it: everyone may read and write, administrators may do all.
_EVERYONE: t.Final = 0x12019F
_ACE: t.Final = re.compile(r"\((A|D);[^;]*;([^;]*);[^;]*;[^;]*;([^;)]*)\)")


def machine_keys_problem(sddl: str | None) -> str | None:
    """What differs from the documented rights; None where nothing does, or nothing is known."""
    if sddl is None or "D:" not in sddl:
        return None
    entries = _ACE.findall(sddl.partition("D:")[2].partition("S:")[0])
    if any(kind == "D" for kind, _rights, _who in entries):
        return "something is denied there"
    everyone = [_mask(rights) for kind, rights, who in entries if who == "WD"]
    if not any(mask & _EVERYONE == _EVERYONE for mask in everyone):
        return "Everyone may not read and write"
    administrators = [_mask(rights) for kind, rights, who in entries if who == "BA"]
    if not any(mask & 0x1F01FF == 0x1F01FF for mask in administrators):
        return "Administrators do not have full control"
    return None


def _mask(rights: str) -> int:
    """Rights of a file in SDDL: a number, or two letters each."""
    if rights.casefold().startswith("0x"):
        return int(rights[2:10], 16) if re.fullmatch(r"0[xX][0-9A-Fa-f]{1,8}", rights) else 0
    letters = {
        "FA": 0x1F01FF,
        "GA": 0x1F01FF,
        "FR": 0x120089,
        "FW": 0x120116,
        "GR": 0x120089,
        "GW": 0x120116,
        "FX": 0x1200A0,
    }
    mask = 0
    for start in range(0, len(rights), 2):
        mask |= letters.get(rights[start : start + 2], 0)
    return mask
