"""Programs that stand in for clients of products that cannot be installed here. Written from their documentation.

Each is this file under the client's name. What the product would remember is in /run/stand-in/NAME.json, where a test
looks and meddles. A command that no stand-in knows ends with status 99: a hook must not say anything undocumented.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

FOLDER = Path("/run/stand-in")
UNKNOWN = 99


class State(dict[str, Any]):
    def __init__(self, name: str) -> None:
        self._path = FOLDER / f"{name}.json"
        super().__init__(json.loads(self._path.read_text()))

    def keep(self) -> None:
        # In one step: a test may be reading.
        unfinished = self._path.with_suffix(f".{os.getpid()}")
        unfinished.write_text(json.dumps(self))
        unfinished.replace(self._path)


def mongosh(arguments: list[str], state: State) -> int:
    """MongoDB 7. The lock is counted and outlives its client."""
    script = arguments[arguments.index("--eval") + 1]
    if "--nodb" not in arguments or "connect(process.env.AC_URI)" not in script:
        return UNKNOWN
    if state.get("error"):
        print(state["error"])
        return 1
    if "{fsync: 1, lock: true}" in script:
        state["locks"] += 1
        print(f"locked 1 {state['locks']}")
    elif "fsyncUnlock" in script:
        state["locks"] = 0
        print("left 0")
    elif "{currentOp: 1}" in script:
        print("locked true" if state["locks"] else "locked undefined")
    elif "{fsync: 1}" in script:
        state["flushes"] += 1
        print("flushed 1")
    elif "insertOne" in script:
        if state["locks"]:
            print("MongoServerError: operation exceeded time limit")
            return 1
        print("written")
    else:
        return UNKNOWN
    return 0


def sqlplus(arguments: list[str], state: State) -> int:
    """Oracle Database 19c, signed in through the operating system."""
    if arguments != ["-S", "-L", "/ as sysbackup"]:
        return UNKNOWN
    if state.get("error"):
        print(state["error"])
        return 1
    for statement in re.split(r";\n", sys.stdin.read()):
        text = " ".join(statement.split())
        text = re.sub(r"^WHENEVER SQLERROR EXIT 1 SET HEADING OFF FEEDBACK OFF PAGESIZE 0 LINESIZE 200 ", "", text)
        done = _oracle(text, state)
        if done is None:
            return UNKNOWN
        if done:
            print(done)
        if done.startswith("ORA-"):
            return 1
    return 0


def _oracle(text: str, state: State) -> str | None:
    if text in ("", "EXIT"):
        return ""
    if state["status"] == "DOWN":
        return "ORA-01034: ORACLE not available"
    if text.startswith("SELECT 'is ' || i.status || ' ' || d.log_mode"):
        return f"is {state['status']} {state['log_mode']} {state['role']}"
    if text == "SELECT 'is ' || status FROM v$instance":
        return f"is {state['status']}"
    if text.startswith("SELECT 'active ' || COUNT(b.file#)"):
        return f"active {state['active']} {state['started']}"
    if text == "ALTER SYSTEM ARCHIVE LOG CURRENT":
        state["archived"] += 1
        return ""
    if text == "ALTER DATABASE BEGIN BACKUP":
        state["active"] = 7
        return ""
    if text == "ALTER DATABASE END BACKUP":
        if not state["active"]:
            return "ORA-01142: cannot end online backup - none of the files are in backup"
        state["active"] = 0
        return ""
    if text == "ALTER DATABASE OPEN":
        state["status"] = "OPEN"
        return ""
    return None


def hdbsql(arguments: list[str], state: State) -> int:
    """SAP HANA 2.0, system database."""
    if arguments[:5] != ["-U", "SYSTEMDB", "-j", "-a", "-x"]:
        return UNKNOWN
    if state.get("error"):
        print(state["error"])
        return 3
    text = " ".join(arguments[5].split())
    created = re.fullmatch(r"BACKUP DATA FOR FULL SYSTEM CREATE SNAPSHOT COMMENT '(.*)'", text)
    closed = re.fullmatch(r"BACKUP DATA FOR FULL SYSTEM CLOSE SNAPSHOT BACKUP_ID (\d+) (UN)?SUCCESSFUL '(.*)'", text)
    prepared = [number for number, entry in state["catalog"].items() if entry["state"] == "prepared"]
    if created:
        if prepared:
            print("* 447: backup could not be completed: [110507] a data snapshot already exists SQLSTATE: HY000")
            return 191
        number = str(1700000000000 + len(state["catalog"]))
        state["catalog"][number] = {"state": "prepared", "comment": created.group(1)}
    elif closed:
        if closed.group(1) not in prepared:
            print("* 447: backup could not be completed: snapshot not found SQLSTATE: HY000")
            return 191
        entry = state["catalog"][closed.group(1)]
        entry["state"] = "failed" if closed.group(2) else "successful"
    elif text.startswith("SELECT BACKUP_ID FROM M_BACKUP_CATALOG"):
        wanted = text.rsplit("COMMENT = '", 1)[1].rstrip("'")
        for number in prepared:
            if state["catalog"][number]["comment"] == wanted:
                print(number)
    elif text.startswith("SELECT COUNT(*) FROM M_BACKUP_CATALOG"):
        print(len(prepared))
    else:
        return UNKNOWN
    return 0


def iris(arguments: list[str], state: State) -> int:
    """InterSystems IRIS: 5 is yes, 3 is no."""
    if arguments[:1] == ["session"]:
        arguments = arguments[1:]
    instance, switch, namespace, method = arguments
    call = re.fullmatch(r"##Class\(Backup\.General\)\.(\w+)\((.*)\)", method)
    if (instance, switch, namespace) != ("IRIS", "-U", "%SYS") or call is None:
        return UNKNOWN
    if state.get("error"):
        print(state["error"])
        return 3
    if call.group(1) == "ExternalFreeze":
        state["arguments"] = call.group(2)
        state["suspended"] = True
        return 5
    if call.group(1) == "ExternalThaw":
        was, state["suspended"] = state["suspended"], False
        return 5 if was else 3
    if call.group(1) == "IsWDSuspendedExt":
        return 5 if state["suspended"] else 3
    return UNKNOWN


def mysql(arguments: list[str], state: State) -> int:
    """MySQL 8.0's client and server in one: a lock lasts as long as its session."""
    execute = [word for word in arguments if word.startswith("--execute=")]
    if execute:
        return _mysql_once(execute[0].partition("=")[2], state)
    lines = iter(sys.stdin.readline, "")
    try:
        for line in lines:
            for statement in line.split(";"):
                said = _mysql(statement.strip(), state)
                if said.startswith("ERROR"):
                    print(said, flush=True)
                    return 1
                if said:
                    print(said, flush=True)
                state.keep()
    finally:
        state["locks"] = []
    return 0


def _mysql_once(text: str, state: State) -> int:
    if text.startswith("KILL "):
        print("ERROR 1094 (HY000) at line 1: Unknown thread id: 42")
        return 1
    if text.startswith("SELECT CONCAT(ID, "):
        print(state.get("statement", ""))
        return 0
    if "SELECT 'written'" in text:
        held = "FLUSH TABLES WITH READ LOCK" in state["locks"]
        print("ERROR 1205 (HY000): Lock wait timeout exceeded" if held else "written")
        return int(held)
    return UNKNOWN


def _mysql(statement: str, state: State) -> str:
    variable = re.search(r"@appconsistent='([^']*)'", statement)
    marked = re.fullmatch(r"SELECT CONCAT\('(\w+) ', @appconsistent\)", statement)
    asked = re.match(r"SELECT CONCAT\('((?:long|data|table)[\d.]+) '", statement)
    if asked:
        word = re.sub(r"[\d.]", "", asked.group(1))
        return f"{asked.group(1)} {state.get('statement' if word == 'long' else word, '')}".strip()
    if statement.startswith("SELECT CONCAT('hello '"):
        return f"hello 42 {state['version']}"
    if statement.startswith("SET SESSION") and not variable:
        return ""
    if variable:
        state["run"] = variable.group(1)
    elif marked:
        return f"{marked.group(1)} {state['run']}"
    elif statement in ("LOCK INSTANCE FOR BACKUP", "FLUSH TABLES WITH READ LOCK"):
        if state.get("error") and statement.startswith(state.get("error_at", "LOCK")):
            return str(state["error"])
        state["locks"].append(statement)
        state["taken"] = [*state.get("taken", []), statement]
    elif statement in ("UNLOCK TABLES", "UNLOCK INSTANCE"):
        state["locks"] = []
    elif statement.startswith(("SELECT 'free", "SELECT 'begun")):
        return statement.split("'")[1]
    elif statement:
        return f"ERROR 1064 (42000): You have an error in your SQL syntax near '{statement}'"
    return ""


def systemctl(arguments: list[str], state: State) -> int:
    """systemd 252 with one unit."""
    if arguments[:1] == ["show"] and arguments[2] == "--value":
        if arguments[3] != "orders.service":
            print("not-found" if arguments[1] == "--property=LoadState" else "")
            return 0
        print(state.get(arguments[1].partition("=")[2], ""))
        return 0
    verb, unit = arguments
    if unit != "orders.service":
        print(f"Failed to {verb} {unit}: Unit {unit} not found.", file=sys.stderr)
        return 5
    if state.get("error"):
        print(state["error"], file=sys.stderr)
        return 1
    changes = {
        "freeze": {"FreezerState": "frozen"},
        "thaw": {"FreezerState": "running"},
        "stop": {"ActiveState": "inactive"},
        "start": {"ActiveState": "active", "InvocationID": state["InvocationID"] + "x"},
    }
    if verb not in changes:
        return UNKNOWN
    state.update(changes[verb])
    return 0


CLIENTS: dict[str, Callable[[list[str], State], int]] = {
    function.__name__: function for function in (hdbsql, iris, mongosh, mysql, sqlplus, systemctl)
}

if __name__ == "__main__":
    name = Path(sys.argv[0]).name
    remembered = State(name)
    result = CLIENTS[name](sys.argv[1:], remembered)
    remembered.keep()
    sys.exit(result)
