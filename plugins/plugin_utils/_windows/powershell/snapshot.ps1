# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

# What the agent and the extension left behind. RuntimeSettings holds the extension's protected settings: nothing here
# goes near it.
$r.handlers=@(foreach($path in $p.handler_roots){
    try{
        $k=[Microsoft.Win32.Registry]::LocalMachine.OpenSubKey($path)
        if($k){foreach($n in $k.GetSubKeyNames()){
            if($n.StartsWith($p.extension+'_')){"$path`t$n`t$($k.OpenSubKey($n).GetValue('InstallState'))"}
        }}
    }catch{$r.problems[$path]=Get-Problem $_}
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
# In a localized Windows the accounts have names of their own.
$x=New-Object Security.Principal.SecurityIdentifier('S-1-5-20')
try{$r.network_service=[string]$x.Translate([Security.Principal.NTAccount]).Value}catch{}
$x=$env:ProgramData+'\Microsoft\Crypto\RSA\MachineKeys'
try{$r.machine_keys=[string](Get-Acl -LiteralPath $x).Sddl}catch{$r.problems.machine_keys=Get-Problem $_}
$x=[Environment]::SystemDirectory+'\msvcr120.dll'
if(Test-Path -LiteralPath $x){$r.vc_runtime=[string][Diagnostics.FileVersionInfo]::GetVersionInfo($x).FileVersion}
try{
    $x=Get-CimInstance Win32_OperatingSystem -OperationTimeoutSec $p.wmi_timeout
    $r.memory=@{total=[string]$x.TotalVisibleMemorySize;free=[string]$x.FreePhysicalMemory}
    $r.booted=$x.LastBootUpTime.ToUniversalTime().ToString('o')
    $x=Get-CimInstance Win32_LogicalDisk -Filter "DeviceID='$($env:SystemDrive)'" -OperationTimeoutSec $p.wmi_timeout
    $r.disk=@{size=[string]$x.Size;free=[string]$x.FreeSpace}
}catch{$r.problems.system=Get-Problem $_}
$n='root\cimv2\Security\MicrosoftVolumeEncryption'
try{$r.locked=@(foreach($x in Get-CimInstance -Namespace $n Win32_EncryptableVolume -OperationTimeoutSec $p.wmi_timeout){
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
