# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

# One line a value, kind and data, empty where it is not there or may not be read. The paths come from a table of ours.
$r.registry=@(foreach($v in $p.places){
    $k=$null;try{$k=[Microsoft.Win32.Registry]::LocalMachine.OpenSubKey($v.path)}catch{$r.problems[$v.path]=Get-Problem $_}
    if($k -and $null -ne $k.GetValue($v.name)){"$($k.GetValueKind($v.name))`t$($k.GetValue($v.name))"}else{''}
})
