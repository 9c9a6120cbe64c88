# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

# The service control manager and the registry answer also when WMI, whose writer may be the bad one, does not.
# One line a service: name, status, start type (DWORD), account, and the names of the services that depend on it.
$r.services=@(foreach($s in Get-Service -ErrorAction SilentlyContinue){
    $k=$null;try{$k=[Microsoft.Win32.Registry]::LocalMachine.OpenSubKey('SYSTEM\CurrentControlSet\Services\'+$s.Name)}catch{}
    $d='';try{$d=@(foreach($x in $s.DependentServices){$x.Name}) -join "`n"}catch{}
    if($k){$start=[string]$k.GetValue('Start');$account=[string]$k.GetValue('ObjectName')}else{$start='';$account=''}
    ($s.Name,[string]$s.Status,$start,$account,$d) -join "`t"
})
