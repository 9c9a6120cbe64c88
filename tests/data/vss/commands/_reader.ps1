$ErrorActionPreference='Stop'
$ProgressPreference='SilentlyContinue'
$m=$ExecutionContext.SessionState.LanguageMode
if($m -ne 'FullLanguage'){"##appconsistent language $m";exit 3}
&([ScriptBlock]::Create(@($input) -join "`n"))
