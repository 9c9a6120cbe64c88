$ErrorActionPreference='Stop'
$ProgressPreference='SilentlyContinue'
$m=$ExecutionContext.SessionState.LanguageMode
if($m -ne 'FullLanguage'){"##appconsistent language $m";exit 3}
$p=ConvertFrom-Json ([Text.Encoding]::UTF8.GetString([Convert]::FromBase64String('@@arguments@@')))
$r=@{problems=@{}}
$o=@{command='read_values';ok=$true;data=$r}
function Get-Problem($x){$x.Exception.GetType().Name+': '+$x.Exception.Message}
try{
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
