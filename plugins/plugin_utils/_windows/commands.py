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
$x=[Environment]::SystemDirectory+'\vssadmin.exe'
try{$r.listing=Invoke-Tool $x 'list writers' $p.list_timeout}catch{$r.problems.listing=Get-Problem $_}
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

# One line a value, kind and data, empty where it is not there. The paths come from a table of ours.
_READ_VALUES = r"""$r.registry=@(foreach($v in $p.places){
$k=[Microsoft.Win32.Registry]::LocalMachine.OpenSubKey($v.path)
if($k -and $null -ne $k.GetValue($v.name)){"$($k.GetValueKind($v.name))`t$($k.GetValue($v.name))"}else{''}
})
"""

_WRITE_VALUES = (
    r"""foreach($v in $p.places){
try{
if($null -eq $v.data){
$k=[Microsoft.Win32.Registry]::LocalMachine.OpenSubKey($v.path,$true)
if($k){$k.DeleteValue($v.name,$false);$k.Close()}
}else{
$k=[Microsoft.Win32.Registry]::LocalMachine.CreateSubKey($v.path)
if($v.kind -eq 'DWord'){$k.SetValue($v.name,[int]$v.data,'DWord')}else{$k.SetValue($v.name,[string]$v.data,'String')}
$k.Close()
}
}catch{$r.problems["$($v.path)\$($v.name)"]=Get-Problem $_}
}
"""
    + _READ_VALUES
)

# A file's last bytes, shared with whoever writes to it. What leads elsewhere (a link, a junction) is not followed.
_FILES = r"""function Test-Plain($x){-not ($x.Attributes -band [IO.FileAttributes]::ReparsePoint)}
function Read-Tail($path,$bytes){
$x=Get-Item -LiteralPath $path -Force -ErrorAction SilentlyContinue
if(-not $x){return $null}
if(-not (Test-Plain $x)){return @{path=$path;link=$true}}
try{
$s=[IO.File]::Open($path,'Open','Read','ReadWrite, Delete')
try{
$n=[int][Math]::Min($s.Length,$bytes)
[void]$s.Seek(-$n,'End')
$b=New-Object byte[] $n
$got=0
while($got -lt $n){$c=$s.Read($b,$got,$n-$got);if($c -le 0){break};$got+=$c}
@{path=$path;length=[string]$s.Length;written=$x.LastWriteTimeUtc.ToString('o');data=[Convert]::ToBase64String($b,0,$got)}
}finally{$s.Dispose()}
}catch{@{path=$path;problem=Get-Problem $_}}
}
function Get-Folders($path){
$x=Get-Item -LiteralPath $path -Force -ErrorAction SilentlyContinue
if(-not $x -or -not (Test-Plain $x)){return}
Get-ChildItem -LiteralPath $path -Directory -Force -ErrorAction SilentlyContinue|Where-Object{Test-Plain $_}
}
function Get-Newest($path,$filter){
$x=Get-ChildItem -LiteralPath $path -Filter $filter -File -Force -ErrorAction SilentlyContinue
$x|Sort-Object LastWriteTimeUtc -Descending|Select-Object -First 1
}
"""

# RuntimeSettings holds the extension's protected settings. Nothing here goes near it.
_SNAPSHOT = (
    _IDENTITY
    + _SERVICES
    + _READ_VALUES
    + _FILES
    + r"""$r.handlers=@(foreach($path in $p.handler_roots){
$k=[Microsoft.Win32.Registry]::LocalMachine.OpenSubKey($path)
if($k){foreach($n in $k.GetSubKeyNames()){
if($n.StartsWith($p.extension+'_')){"$path`t$n`t$($k.OpenSubKey($n).GetValue('InstallState'))"}
}}
})
$plugins=$env:SystemDrive+'\Packages\Plugins\'+$p.extension
$logs=$env:SystemDrive+'\WindowsAzure\Logs'
$r.folder=$plugins
$r.versions=@(foreach($d in Get-Folders $plugins){
$v=@{version=$d.Name;files=@(foreach($n in $p.files){if(Test-Path -LiteralPath ($d.FullName+'\'+$n)){$n}})}
foreach($x in Get-Folders $d.FullName){if($x.Name -eq 'Status'){
$f=Get-Newest $x.FullName '*.status'
if($f){$v.status=Read-Tail $f.FullName $p.status_bytes}
$v.heartbeat=Read-Tail ($x.FullName+'\HeartBeat.Json') $p.status_bytes
}}
$v})
$f=@(foreach($d in Get-Folders ($logs+'\Plugins\'+$p.extension)){Get-Newest $d.FullName 'IaaSBcdrExtension*.log'})
$f=$f|Sort-Object LastWriteTimeUtc -Descending|Select-Object -First 1
if($f){$r.extension_log=Read-Tail $f.FullName $p.log_bytes}
$r.agent_log=Read-Tail ($logs+'\WaAppAgent.log') $p.log_bytes
$r.aggregate=Read-Tail ($logs+'\AggregateStatus\aggregatestatus.json') $p.aggregate_bytes
$r.sql_writer_log=Read-Tail ($env:ProgramFiles+'\Microsoft SQL Server\90\Shared\SqlWriterLogger.txt') $p.log_bytes
$x=$env:ProgramData+'\Microsoft\Crypto\RSA\MachineKeys'
try{$r.machine_keys=[string](Get-Acl -LiteralPath $x).Sddl}catch{$r.problems.machine_keys=Get-Problem $_}
$x=[Environment]::SystemDirectory+'\msvcr120.dll'
if(Test-Path -LiteralPath $x){$r.vc_runtime=[string][Diagnostics.FileVersionInfo]::GetVersionInfo($x).FileVersion}
try{
$x=Get-CimInstance Win32_OperatingSystem -OperationTimeoutSec 60
$r.memory=@{total=[string]$x.TotalVisibleMemorySize;free=[string]$x.FreePhysicalMemory}
$r.booted=$x.LastBootUpTime.ToUniversalTime().ToString('o')
$x=Get-CimInstance Win32_LogicalDisk -Filter "DeviceID='$($env:SystemDrive)'" -OperationTimeoutSec 60
$r.disk=@{size=[string]$x.Size;free=[string]$x.FreeSpace}
}catch{$r.problems.system=Get-Problem $_}
$n='root\cimv2\Security\MicrosoftVolumeEncryption'
try{$r.locked=@(foreach($x in Get-CimInstance -Namespace $n Win32_EncryptableVolume -OperationTimeoutSec 60){
if($x.ProtectionStatus -eq 2){[string]$x.DriveLetter}
})}catch{}
$r.events=@(foreach($q in $p.events){
try{
$x=@{LogName=$q.log;ProviderName=$q.provider;Level=1,2,3;StartTime=[DateTime]::Now.AddHours(-$p.event_hours)}
foreach($e in Get-WinEvent -FilterHashtable $x -MaxEvents $p.event_count){
$m=[string]$e.Message;if($m.Length -gt 400){$m=$m.Substring(0,400)}
"$($q.provider)`t$($e.Id)`t$($e.Level)`t$($e.TimeCreated.ToUniversalTime().ToString('o'))`t$m"
}
}catch{if($_.FullyQualifiedErrorId -notlike 'NoMatching*'){$r.problems[$q.provider]=Get-Problem $_}}
})
$r.wire=@(if($p.wire_timeout -gt 0){foreach($port in 80,32526){
$c=New-Object Net.Sockets.TcpClient
try{if($c.ConnectAsync('168.63.129.16',$port).Wait([int](1000*$p.wire_timeout))){"$port`topen"}else{"$port`tTimedOut"}}
catch{"$port`t$($_.Exception.GetBaseException().SocketErrorCode)"}
finally{$c.Close()}
}})
"""
)

# PowerShell's own parser on texts that are not run, and whether the cmdlets in them exist.
_PARSE = r"""$r.texts=@(foreach($x in $p.texts){
$t=$null;$e=$null
$s=[Text.Encoding]::UTF8.GetString([Convert]::FromBase64String($x.text))
$a=[Management.Automation.Language.Parser]::ParseInput($s,[ref]$t,[ref]$e)
$own=@(foreach($d in $a.FindAll({param($n)$n -is [Management.Automation.Language.FunctionDefinitionAst]},$true)){
$d.Name
})
$gone=@(foreach($d in $a.FindAll({param($n)$n -is [Management.Automation.Language.CommandAst]},$true)){
$n=$d.GetCommandName()
if($n -and $own -notcontains $n -and -not (Get-Command $n -ErrorAction SilentlyContinue)){$n}
})
@{name=$x.name;errors=@(foreach($d in $e){"$($d.Extent.StartLineNumber): $($d.Message)"});unknown=$gone}
})
"""


@dataclass(frozen=True)
class Command:
    """A fixed text. `changes` is what check mode goes by; `seconds` is the longest it can take beside its arguments.

    A `repeatable` change ends the same however often it is sent, so it may be sent again when an answer is lost.
    """

    name: str
    body: str
    changes: bool
    seconds: float
    purpose: str
    repeatable: bool = False

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

READ_VALUES = Command(
    name="read_values",
    body=_READ_VALUES,
    changes=False,
    seconds=60,
    purpose="Reads values of the registry.",
)

WRITE_VALUES = Command(
    name="write_values",
    body=_WRITE_VALUES,
    changes=True,
    repeatable=True,
    seconds=60,
    purpose="Writes or removes values of the registry, and reads them again.",
)

SNAPSHOT = Command(
    name="snapshot",
    body=_SNAPSHOT,
    changes=False,
    seconds=300,
    purpose="Collects what the agent and the snapshot extension left behind, and the state of what they need.",
)

PARSE = Command(
    name="parse",
    body=_PARSE,
    changes=False,
    seconds=120,
    purpose="Has PowerShell parse texts without running them.",
)

COMMANDS: t.Final = {command.name: command for command in (SURVEY, RESTART, READ_VALUES, WRITE_VALUES, SNAPSHOT, PARSE)}
