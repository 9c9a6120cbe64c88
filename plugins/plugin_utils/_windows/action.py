# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Where Ansible ends and the Windows guest begins: options in, a guest to talk to, errors out.

An action that works over the task's own connection (winrm, psrp or ssh) with plain commands. It needs no Python, no
collection and no file on the guest, and runs in check mode with the reading commands alone.
"""

from __future__ import annotations

import base64
import contextlib
import signal
import threading
import typing as t

from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure
from ansible.plugins.action import ActionBase
from ansible.release import __version__ as ansible_version
from ansible.utils.display import Display

from .._clock import BlockingClock
from .._errors import AppConsistentError, redact
from .guest import COMMAND_LINE_LIMIT, ConnectionLost, GuestError, GuestTimedOut, Output, WindowsGuest

display = Display()

# The prefix by which every supported ansible-core knows a command line that is PowerShell already.
_ENCODED: t.Final = "PowerShell -NoProfile -NonInteractive -ExecutionPolicy Unrestricted -EncodedCommand "


class WindowsAction(ActionBase):
    """The base of every action on a Windows guest. A subclass has ARGUMENT_SPEC and `inspect`."""

    ARGUMENT_SPEC: t.ClassVar[dict[str, dict[str, t.Any]]] = {}
    CLOCK: t.ClassVar[BlockingClock] = BlockingClock()
    TRANSFERS_FILES = False
    _requires_connection = True
    _supports_check_mode = True
    _supports_async = False

    def inspect(self, options: dict[str, t.Any], guest: WindowsGuest) -> dict[str, t.Any]:
        """Do the work and return the result."""
        raise NotImplementedError

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """What Ansible calls."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        _validation, options = self.validate_argument_spec(self.ARGUMENT_SPEC)
        if not self._on_windows():
            return self._elsewhere(options, task_vars or {}, result)
        try:
            result.update(self.inspect(options, self._guest(task_vars or {})))
        except AppConsistentError as error:
            if isinstance(error, ConnectionLost):
                # The way in which Ansible says that a host cannot be reached.
                raise AnsibleConnectionFailure(str(error)) from error
            result.update(failed=True, msg=str(error), failure=error.details())
        return result

    def _elsewhere(
        self, _options: dict[str, t.Any], task_vars: dict[str, t.Any], _result: dict[str, t.Any]
    ) -> dict[str, t.Any]:
        shell = getattr(self._connection._shell, "SHELL_FAMILY", "POSIX")
        raise AnsibleActionFail(
            f"{self._task.action.rpartition('.')[2]} works on Windows guests only, and {_host(task_vars)} is reached by"
            f" {self._connection.transport} with a {shell} shell. Keep this task to"
            " Windows hosts; over ssh, set ansible_shell_type to powershell or cmd."
        )

    def _on_windows(self) -> bool:
        # Not the name of the shell: since ansible-core 2.21 that of winrm is cmd.
        return bool(getattr(self._connection._shell, "_IS_WINDOWS", False))

    def _guest(self, task_vars: dict[str, t.Any]) -> WindowsGuest:
        host = _host(task_vars)
        transport = str(self._connection.transport).rpartition(".")[2]
        return WindowsGuest(
            host,
            AnsibleTransport(self, host, encode=_must_encode(transport)),
            check_mode=bool(self._task.check_mode),
            clock=self.CLOCK,
            # psrp hands a script to the running PowerShell, whatever its length, and has no standard input to read.
            command_line_limit=None if transport == "psrp" else COMMAND_LINE_LIMIT,
            tell=lambda text: self._tell(host, text),
        )

    def _tell(self, host: str, text: str) -> None:
        """A line of progress, since waiting and restarting take minutes."""
        if not self._task.no_log:
            display.display(f"[{host}] {self._task.action.rpartition('.')[2]}: {text}")


# A plugin that ends in one of these is broken, and the guest may well be reachable.
_MISTAKES: t.Final = (TypeError, AttributeError, NameError, ImportError)


class AnsibleTransport:
    """The task's connection as a Transport."""

    def __init__(self, action: WindowsAction, host: str, *, encode: bool) -> None:
        self._action = action
        self._host = host
        self._encode = encode
        self._answered = False

    def execute(self, command_line: str, stdin: bytes | None, seconds: float) -> Output:
        """Run a command line on the guest, for at most `seconds`."""
        if self._encode:
            command_line = _ENCODED + _utf16_base64(command_line)
        try:
            with _deadline(seconds):
                answer = self._action._low_level_execute_command(command_line, sudoable=False, in_data=stdin)
        except _Deadline:
            raise GuestTimedOut(
                f"{self._host} did not answer within {seconds:.0f} seconds",
                advice="It is overloaded, or one of its writers hangs. What was sent to it may still be running there.",
            ) from None
        except AnsibleConnectionFailure as error:
            # Before the first answer this is a host that cannot be reached or refuses the password: not to be repeated.
            if not self._answered:
                raise
            raise self._lost(error) from error
        except _MISTAKES as error:
            raise GuestError(
                f"The connection plugin of {self._host} failed: {type(error).__name__}:"
                f" {redact(' '.join(str(error).split()))[:300]}",
                advice="Try ansible.windows.win_ping against it, and see that pywinrm or pypsrp is installed whole.",
            ) from error
        except Exception as error:
            # pywinrm and the plugins let errors of many libraries through. All that is called here is the connection.
            raise self._lost(error) from error
        self._answered = True
        return Output(int(answer["rc"]), str(answer["stdout"]), str(answer["stderr"]))

    def reconnect(self) -> None:
        """Make the connection anew."""
        try:
            with _deadline(120):
                self._action._connection.reset()
        except _Deadline:
            raise GuestTimedOut(f"The connection to {self._host} could not be made again within 120 seconds") from None
        except Exception as error:
            raise self._lost(error) from error

    def _lost(self, error: Exception) -> ConnectionLost:
        return ConnectionLost(
            f"The connection to {self._host} broke: {redact(' '.join(str(error).split()))[:300]}",
            advice="See that the guest runs and that its WinRM or SSH service answers, then run this again.",
        )


class _Deadline(BaseException):
    """Not an Exception: a connection plugin that catches everything must not swallow it."""


@contextlib.contextmanager
def _deadline(seconds: float) -> t.Iterator[None]:
    """End the block after `seconds`, where nobody else, as the task's own `timeout`, has set the process's alarm."""
    if threading.current_thread() is not threading.main_thread() or signal.getitimer(signal.ITIMER_REAL)[0] > 0:
        yield
        return

    def ring(_number: int, _frame: object) -> None:
        raise _Deadline

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        # None is a handler that was not set from Python, and cannot be from here.
        if before is not None:
            signal.signal(signal.SIGALRM, before)


def _must_encode(transport: str) -> bool:
    """Over ssh the guest's login shell may be cmd; up to 2.17 ansible-core encodes for it, later the caller does."""
    major, minor = (int(part) for part in ansible_version.split(".")[:2])
    return transport == "ssh" and (major, minor) >= (2, 18)


def _utf16_base64(text: str) -> str:
    return base64.b64encode(text.encode("utf-16-le")).decode("ascii")


def _host(task_vars: t.Mapping[str, t.Any]) -> str:
    return str(task_vars.get("inventory_hostname", "the guest"))
