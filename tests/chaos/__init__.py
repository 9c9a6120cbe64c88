# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Chaos: stories of faults, kills and repeats, each drawn from a seed and played in virtual time.

A story is told anew by its seed alone: `CHAOS_SEED=17 python -m pytest tests/unit/chaos`.
"""
