# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

# Stops and starts one service, and starts what depended on it and ran. Each step has its own outcome, so that a service
# that would not stop still gets its dependents back. Without `stop` it only brings back what should run.
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
