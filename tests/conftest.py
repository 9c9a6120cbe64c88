# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What all tests share: the signals that a process of a user has, and figures in the summary."""

from __future__ import annotations

import signal

import pytest


def pytest_configure() -> None:
    # A job in the background of a shell, and so the parallel worker of a test run, ignores these, and what it starts
    # inherits that. No process that a user starts does.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what tests have recorded as the property `figure`: a claim like "25 of 25" is worth its counts."""
    # Properties travel from a parallel worker with the test's report; what a worker prints does not.
    figures = [
        value
        for outcome in ("passed", "failed")
        for report in terminalreporter.stats.get(outcome, ())
        for name, value in report.user_properties
        if name == "figure"
    ]
    if figures:
        terminalreporter.section("figures")
        for figure in sorted(figures):
            terminalreporter.line(str(figure))
