# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

# Constrained language mode (AppLocker, WDAC) allows this comparison and the string, and refuses all that follows.
$ErrorActionPreference='Stop'
$ProgressPreference='SilentlyContinue'
$m=$ExecutionContext.SessionState.LanguageMode
if($m -ne 'FullLanguage'){"##appconsistent language $m";exit 3}
