# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

# VSS: writers, providers, shadow storage, volumes.
$r.oem_code_page=[int][Globalization.CultureInfo]::CurrentCulture.TextInfo.OEMCodePage
$x=[Environment]::SystemDirectory+'\vssadmin.exe'
try{$r.listing=Invoke-Tool $x 'list writers' $p.list_timeout}catch{$r.problems.listing=Get-Problem $_}
try{$r.providers=@(foreach($x in Get-CimInstance Win32_ShadowProvider -OperationTimeoutSec $p.wmi_timeout){
    @{id=[string]$x.ID;name=[string]$x.Name;type=[int]$x.Type;version=[string]$x.Version}
})}catch{$r.problems.providers=Get-Problem $_}
try{$r.storage=@(foreach($x in Get-CimInstance Win32_ShadowStorage -OperationTimeoutSec $p.wmi_timeout){
    @{volume=[string]$x.Volume.DeviceID;on=[string]$x.DiffVolume.DeviceID
        used=[string]$x.UsedSpace;allocated=[string]$x.AllocatedSpace;maximum=[string]$x.MaxSpace}
})}catch{$r.problems.storage=Get-Problem $_}
try{$r.volumes=@(foreach($x in Get-CimInstance Win32_Volume -Filter 'DriveType=3' -OperationTimeoutSec $p.wmi_timeout){
    @{id=[string]$x.DeviceID;drive=[string]$x.DriveLetter;capacity=[string]$x.Capacity;free=[string]$x.FreeSpace}
})}catch{$r.problems.volumes=Get-Problem $_}
