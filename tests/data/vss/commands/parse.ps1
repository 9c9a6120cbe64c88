$ErrorActionPreference='Stop'
$ProgressPreference='SilentlyContinue'
$m=$ExecutionContext.SessionState.LanguageMode
if($m -ne 'FullLanguage'){"##appconsistent language $m";exit 3}
$p=ConvertFrom-Json ([Text.Encoding]::UTF8.GetString([Convert]::FromBase64String('@@arguments@@')))
$r=@{problems=@{}}
$o=@{command='parse';ok=$true;data=$r}
function Get-Problem($x){$x.Exception.GetType().Name+': '+$x.Exception.Message}
try{
$r.texts=@(foreach($x in $p.texts){
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
}catch{
$o.ok=$false
$o.error=@{type=$_.Exception.GetType().FullName;message=[string]$_.Exception.Message;line=[int]$_.InvocationInfo.ScriptLineNumber}
}
'##appconsistent begin'
[Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes((ConvertTo-Json $o -Depth 8 -Compress)),'InsertLineBreaks')
'##appconsistent end'
exit [int](-not $o.ok)
