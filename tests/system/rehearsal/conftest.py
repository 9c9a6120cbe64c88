# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Guests for these tests. What the machine lacks is a skip with a sentence, or a failure with REQUIRE_SYSTEM=1."""

from __future__ import annotations

from tests.system.linux_guest.conftest import new_guest, shared_guest, templates

__all__ = ["new_guest", "shared_guest", "templates"]
