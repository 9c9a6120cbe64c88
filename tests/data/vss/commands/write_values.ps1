$ErrorActionPreference='Stop'
$ProgressPreference='SilentlyContinue'
$m=$ExecutionContext.SessionState.LanguageMode
if($m -ne 'FullLanguage'){"##appconsistent language $m";exit 3}
$p=ConvertFrom-Json ([Text.Encoding]::UTF8.GetString([Convert]::FromBase64String('@@arguments@@')))
$r=@{problems=@{}}
$o=@{command='write_values';ok=$true;data=$r}
function Get-Problem($x){$x.Exception.GetType().Name+': '+$x.Exception.Message}
try{
foreach($v in $p.places){
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
$r.registry=@(foreach($v in $p.places){
$k=[Microsoft.Win32.Registry]::LocalMachine.OpenSubKey($v.path)
if($k -and $null -ne $k.GetValue($v.name)){"$($k.GetValueKind($v.name))`t$($k.GetValue($v.name))"}else{''}
})
}catch{
$o.ok=$false
$o.error=@{type=$_.Exception.GetType().FullName;message=[string]$_.Exception.Message;line=[int]$_.InvocationInfo.ScriptLineNumber}
}
'##appconsistent begin'
[Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes((ConvertTo-Json $o -Depth 8 -Compress)),'InsertLineBreaks')
'##appconsistent end'
exit [int](-not $o.ok)
