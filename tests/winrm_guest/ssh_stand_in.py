# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What an ssh client would give back from a Windows guest: Ansible's own ssh connection runs it in the client's place.

The last argument is the command line for cmd.exe there, and standard input is the command's.
"""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

from .console import reads_input, run
from .machine import machine

# Up to 2.17 ansible-core sets the code page first, in the words of the login shell.
_CODE_PAGE = re.compile(r"^chcp\.com 65001 [^&;]*(?:2>&1 && |; )")


def main() -> int:
    """Run the last argument on the guest that WINDOWS_GUEST describes, and note what it was."""
    if len(sys.argv) < 4:
        # Ansible asks what the client can do.
        return 0
    guest = machine("win1", **json.loads(os.environ["WINDOWS_GUEST"]))
    line = _CODE_PAGE.sub("", sys.argv[-1])
    # Ansible leaves standard input open where it has nothing to send.
    output = run(guest, line, sys.stdin.buffer.read() if reads_input(line) else b"")
    with Path(os.environ["WINDOWS_GUEST_NOTES"]).open("a") as notes:
        notes.write(json.dumps({"received": [name for name, _ in guest.received], "unknown": guest.unknown}) + "\n")
    sys.stdout.buffer.write(output.out)
    sys.stderr.buffer.write(output.err)
    return output.code


if __name__ == "__main__":
    sys.exit(main())
