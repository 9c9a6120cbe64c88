# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Every command that this collection sends to a Windows guest: a table of fixed PowerShell texts.

Nothing is pasted into a text but one base64 word, the arguments as JSON. The scripts collect and send back; what it
means is worked out on the controller. They are written for Windows PowerShell 5.1 and newer, read no translated text,
and answer between two markers in base64, so that code pages, profiles and progress records cannot damage the answer.

The exact texts are held by tests/data/vss/commands, which the tests' guest compares with what arrives.
"""

from __future__ import annotations

import base64
import json
import typing as t
from dataclasses import dataclass

BEGIN = "##appconsistent begin"
END = "##appconsistent end"
LANGUAGE = "##appconsistent language"

_ARGUMENTS = "@@arguments@@"

# Constrained language mode (AppLocker, WDAC) allows this comparison and the string, and refuses all that follows.
_LANGUAGE_CHECK = rf"""$ErrorActionPreference='Stop'
$ProgressPreference='SilentlyContinue'
$m=$ExecutionContext.SessionState.LanguageMode
if($m -ne 'FullLanguage'){{"{LANGUAGE} $m";exit 3}}
"""

_OPENING = (
    _LANGUAGE_CHECK
    + rf"""$p=ConvertFrom-Json ([Text.Encoding]::UTF8.GetString([Convert]::FromBase64String('{_ARGUMENTS}')))
$r=@{{problems=@{{}}}}
$o=@{{command='@@name@@';ok=$true;data=$r}}
function Get-Problem($x){{$x.Exception.GetType().Name+': '+$x.Exception.Message}}
try{{
"""
)

# ConvertTo-Json of PowerShell 5.1 stops at depth 2 unless told otherwise.
_CLOSING = rf"""
}}catch{{
$o.ok=$false
$o.error=@{{type=$_.Exception.GetType().FullName;message=[string]$_.Exception.Message;line=[int]$_.InvocationInfo.ScriptLineNumber}}
}}
'{BEGIN}'
[Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes((ConvertTo-Json $o -Depth 8 -Compress)),'InsertLineBreaks')
'{END}'
exit [int](-not $o.ok)"""

# What stands on the command line when the text itself goes through standard input: as it is, for it is all ASCII, and
# a guest's script block log and virus scanner should see what a person would.
READER = _LANGUAGE_CHECK + '&([ScriptBlock]::Create(@($input) -join "`n"))'

# The rights of an administrator are asked for by the identity's own token, not by a translated group name.
_IDENTITY = r"""$i=New-Object Security.Principal.WindowsPrincipal([Security.Principal.WindowsIdentity]::GetCurrent())
$r.elevated=$i.IsInRole([Security.Principal.WindowsBuiltInRole]::Administrator)
$r.time=[DateTime]::UtcNow.ToString('o')
$r.powershell=[string]$PSVersionTable.PSVersion
$r.os=[string][Environment]::OSVersion.Version
$r.culture=[Globalization.CultureInfo]::InstalledUICulture.Name
$r.product=[string][Microsoft.Win32.Registry]::GetValue('HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Control\ProductOptions','ProductType','')
"""

# The service control manager and the registry answer also when WMI, whose writer may be the bad one, does not.
# One line a service: name, status, start type (DWORD), account, and the names of the services that depend on it.
_SERVICES = r"""$r.services=@(foreach($s in Get-Service -ErrorAction SilentlyContinue){
$k=[Microsoft.Win32.Registry]::LocalMachine.OpenSubKey('SYSTEM\CurrentControlSet\Services\'+$s.Name)
$d='';try{$d=@(foreach($x in $s.DependentServices){$x.Name}) -join "`n"}catch{}
if($k){$start=[string]$k.GetValue('Start');$account=[string]$k.GetValue('ObjectName')}else{$start='';$account=''}
($s.Name,[string]$s.Status,$start,$account,$d) -join "`t"
})
"""

# A tool's output is taken as bytes: which code page it wrote in is worked out later. It may block for as long as a
# hung writer does, so it has a limit of its own and is ended there.
_TOOL = r"""function Invoke-Tool($file,$arguments,$seconds){
$i=New-Object Diagnostics.ProcessStartInfo
$i.FileName=$file;$i.Arguments=$arguments;$i.UseShellExecute=$false
$i.RedirectStandardOutput=$true;$i.RedirectStandardError=$true
$w=[Diagnostics.Stopwatch]::StartNew()
$x=[Diagnostics.Process]::Start($i)
$out=New-Object IO.MemoryStream;$err=New-Object IO.MemoryStream
$t=[Threading.Tasks.Task[]]@($x.StandardOutput.BaseStream.CopyToAsync($out),$x.StandardError.BaseStream.CopyToAsync($err))
$ended=[Threading.Tasks.Task]::WaitAll($t,[int](1000*$seconds)) -and $x.WaitForExit(5000)
if(-not $ended){try{$x.Kill()}catch{};[void][Threading.Tasks.Task]::WaitAll($t,5000)}
$code=$null;if($x.HasExited){$code=[int]$x.ExitCode}
@{exit=$code;timed_out=(-not $ended);seconds=[Math]::Round($w.Elapsed.TotalSeconds,3);bytes=[string]$out.Length
out=[Convert]::ToBase64String($out.GetBuffer(),0,[int][Math]::Min($out.Length,1048576))
err=[Convert]::ToBase64String($err.GetBuffer(),0,[int][Math]::Min($err.Length,65536))}
}
"""

_SURVEY = (
    _IDENTITY
    + _SERVICES
    + _TOOL
    + r"""$r.oem_code_page=[int][Globalization.CultureInfo]::CurrentCulture.TextInfo.OEMCodePage
$r.listing=Invoke-Tool ([Environment]::SystemDirectory+'\vssadmin.exe') 'list writers' $p.list_timeout
try{$r.providers=@(foreach($x in Get-CimInstance Win32_ShadowProvider -OperationTimeoutSec 60){
@{id=[string]$x.ID;name=[string]$x.Name;type=[int]$x.Type;version=[string]$x.Version}
})}catch{$r.problems.providers=Get-Problem $_}
try{$r.storage=@(foreach($x in Get-CimInstance Win32_ShadowStorage -OperationTimeoutSec 60){
@{volume=[string]$x.Volume.DeviceID;on=[string]$x.DiffVolume.DeviceID
used=[string]$x.UsedSpace;allocated=[string]$x.AllocatedSpace;maximum=[string]$x.MaxSpace}
})}catch{$r.problems.storage=Get-Problem $_}
try{$r.volumes=@(foreach($x in Get-CimInstance Win32_Volume -Filter 'DriveType=3' -OperationTimeoutSec 60){
@{id=[string]$x.DeviceID;drive=[string]$x.DriveLetter;capacity=[string]$x.Capacity;free=[string]$x.FreeSpace}
})}catch{$r.problems.volumes=Get-Problem $_}
"""
)

# Stops and starts one service, and starts what depended on it and ran. Each step has its own outcome, so that a service
# that would not stop still gets its dependents back. Without `stop` it only brings back what should run.
_RESTART = r"""$limit=[TimeSpan]::FromSeconds($p.limit)
function Start-One($name){
$x=Get-Service -Name $name
if($x.Status -ne 'Running'){if($x.Status -ne 'StartPending'){$x.Start()};$x.WaitForStatus('Running',$limit)}
}
function Get-State($name){try{[string](Get-Service -Name $name).Status}catch{'Missing'}}
$s=Get-Service -Name $p.service
$r.before=[string]$s.Status
$up=@($p.dependents)+@(foreach($x in $s.DependentServices){if($x.Status -eq 'Running'){$x.Name}})
$up=@($up|Where-Object{$_}|Select-Object -Unique)
if($p.stop -and $s.Status -ne 'Stopped'){
try{if($s.Status -ne 'StopPending'){$s.Stop()};$s.WaitForStatus('Stopped',$limit)}catch{$r.problems.stop=Get-Problem $_}
}
try{Start-One $p.service}catch{$r.problems.start=Get-Problem $_}
[Array]::Reverse($up)
$r.dependents=@(foreach($x in $up){$e='';try{Start-One $x}catch{$e=Get-Problem $_};"$x`t$(Get-State $x)`t$e"})
$r.after=Get-State $p.service
"""


@dataclass(frozen=True)
class Command:
    """A fixed text. `changes` is what check mode goes by; `seconds` is the longest it can take beside its arguments."""

    name: str
    body: str
    changes: bool
    seconds: float
    purpose: str

    @property
    def text(self) -> str:
        """The whole script, with a placeholder where the arguments go."""
        return (_OPENING + self.body.strip() + _CLOSING).replace("@@name@@", self.name)

    def script(self, arguments: t.Mapping[str, t.Any]) -> str:
        """The whole script with its arguments. The alphabet of base64 cannot end a quoted string."""
        word = base64.b64encode(json.dumps(arguments, ensure_ascii=True, sort_keys=True).encode("ascii")).decode(
            "ascii"
        )
        return self.text.replace(_ARGUMENTS, word)


SURVEY = Command(
    name="survey",
    body=_SURVEY,
    changes=False,
    seconds=120,
    purpose="Lists the VSS writers, providers, shadow storage and volumes, and all services with their dependents.",
)

RESTART = Command(
    name="restart_service",
    body=_RESTART,
    changes=True,
    seconds=60,
    purpose="Restarts one service and starts the services again that depended on it and ran.",
)

COMMANDS: t.Final = {command.name: command for command in (SURVEY, RESTART)}
