$ErrorActionPreference='Stop'
$ProgressPreference='SilentlyContinue'
$m=$ExecutionContext.SessionState.LanguageMode
if($m -ne 'FullLanguage'){"##appconsistent language $m";exit 3}
$p=ConvertFrom-Json ([Text.Encoding]::UTF8.GetString([Convert]::FromBase64String('@@arguments@@')))
$r=@{problems=@{}}
$o=@{command='survey';ok=$true;data=$r}
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
function Invoke-Tool($file,$arguments,$seconds){
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
$r.oem_code_page=[int][Globalization.CultureInfo]::CurrentCulture.TextInfo.OEMCodePage
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
}catch{
$o.ok=$false
$o.error=@{type=$_.Exception.GetType().FullName;message=[string]$_.Exception.Message;line=[int]$_.InvocationInfo.ScriptLineNumber}
}
'##appconsistent begin'
[Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes((ConvertTo-Json $o -Depth 8 -Compress)),'InsertLineBreaks')
'##appconsistent end'
exit [int](-not $o.ok)
