$ErrorActionPreference='Stop'
$ProgressPreference='SilentlyContinue'
$m=$ExecutionContext.SessionState.LanguageMode
if($m -ne 'FullLanguage'){"##appconsistent language $m";exit 3}
$p=ConvertFrom-Json ([Text.Encoding]::UTF8.GetString([Convert]::FromBase64String('@@arguments@@')))
$r=@{problems=@{}}
$o=@{command='restart_service';ok=$true;data=$r}
function Get-Problem($x){$x.Exception.GetType().Name+': '+$x.Exception.Message}
try{
$limit=[TimeSpan]::FromSeconds($p.limit)
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
}catch{
$o.ok=$false
$o.error=@{type=$_.Exception.GetType().FullName;message=[string]$_.Exception.Message;line=[int]$_.InvocationInfo.ScriptLineNumber}
}
'##appconsistent begin'
[Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes((ConvertTo-Json $o -Depth 8 -Compress)),'InsertLineBreaks')
'##appconsistent end'
exit [int](-not $o.ok)
