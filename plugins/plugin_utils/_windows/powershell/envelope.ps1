# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

# Around every command: its arguments, and its answer between two markers. ConvertTo-Json of PowerShell 5.1 stops at
# depth 2 unless told otherwise.
$p=ConvertFrom-Json ([Text.Encoding]::UTF8.GetString([Convert]::FromBase64String('@@arguments@@')))
$r=@{problems=@{}}
$o=@{command='@@name@@';ok=$true;data=$r}
function Get-Problem($x){$x.Exception.GetType().Name+': '+$x.Exception.Message}
try{
    @@body@@
}catch{
    $o.ok=$false
    $o.error=@{type=$_.Exception.GetType().FullName;message=[string]$_.Exception.Message;line=[int]$_.InvocationInfo.ScriptLineNumber}
}
'##appconsistent begin'
[Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes((ConvertTo-Json $o -Depth 8 -Compress)),'InsertLineBreaks')
'##appconsistent end'
exit [int](-not $o.ok)
