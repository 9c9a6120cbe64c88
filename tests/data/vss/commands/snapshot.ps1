$ErrorActionPreference='Stop'
$ProgressPreference='SilentlyContinue'
$m=$ExecutionContext.SessionState.LanguageMode
if($m -ne 'FullLanguage'){"##appconsistent language $m";exit 3}
$p=ConvertFrom-Json ([Text.Encoding]::UTF8.GetString([Convert]::FromBase64String('@@arguments@@')))
$r=@{problems=@{}}
$o=@{command='snapshot';ok=$true;data=$r}
function Get-Problem($x){$x.Exception.GetType().Name+': '+$x.Exception.Message}
try{
$i=New-Object Security.Principal.WindowsPrincipal([Security.Principal.WindowsIdentity]::GetCurrent())
$r.elevated=$i.IsInRole([Security.Principal.WindowsBuiltInRole]::Administrator)
$r.time=[DateTime]::UtcNow.ToString('o')
$r.powershell=[string]$PSVersionTable.PSVersion
$r.os=[string][Environment]::OSVersion.Version
$r.culture=[Globalization.CultureInfo]::InstalledUICulture.Name
$r.product=[string][Microsoft.Win32.Registry]::GetValue('HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Control\ProductOptions','ProductType','')
$r.services=@(foreach($s in Get-Service -ErrorAction SilentlyContinue){
$k=[Microsoft.Win32.Registry]::LocalMachine.OpenSubKey('SYSTEM\CurrentControlSet\Services\'+$s.Name)
$d='';try{$d=@(foreach($x in $s.DependentServices){$x.Name}) -join "`n"}catch{}
if($k){$start=[string]$k.GetValue('Start');$account=[string]$k.GetValue('ObjectName')}else{$start='';$account=''}
($s.Name,[string]$s.Status,$start,$account,$d) -join "`t"
})
$r.registry=@(foreach($v in $p.places){
$k=[Microsoft.Win32.Registry]::LocalMachine.OpenSubKey($v.path)
if($k -and $null -ne $k.GetValue($v.name)){"$($k.GetValueKind($v.name))`t$($k.GetValue($v.name))"}else{''}
})
function Test-Plain($x){-not ($x.Attributes -band [IO.FileAttributes]::ReparsePoint)}
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
$r.handlers=@(foreach($path in $p.handler_roots){
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
}catch{
$o.ok=$false
$o.error=@{type=$_.Exception.GetType().FullName;message=[string]$_.Exception.Message;line=[int]$_.InvocationInfo.ScriptLineNumber}
}
'##appconsistent begin'
[Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes((ConvertTo-Json $o -Depth 8 -Compress)),'InsertLineBreaks')
'##appconsistent end'
exit [int](-not $o.ok)
