# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

# The rights of an administrator are asked for by the identity's own token, not by a translated group name.
$i=New-Object Security.Principal.WindowsPrincipal([Security.Principal.WindowsIdentity]::GetCurrent())
$r.elevated=$i.IsInRole([Security.Principal.WindowsBuiltInRole]::Administrator)
$r.time=[DateTime]::UtcNow.ToString('o')
$r.powershell=[string]$PSVersionTable.PSVersion
$r.os=[string][Environment]::OSVersion.Version
$r.culture=[Globalization.CultureInfo]::InstalledUICulture.Name
