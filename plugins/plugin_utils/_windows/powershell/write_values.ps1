# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

# Writes or removes values of the registry. Each has its own outcome.
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
