# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

# PowerShell's own parser on texts that are not run, and whether the cmdlets in them exist.
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
