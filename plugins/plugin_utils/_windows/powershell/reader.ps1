# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

# What stands on the command line when a text goes through standard input: as it is, for it is all ASCII, and a guest's
# script block log and virus scanner should see what a person would.
&([ScriptBlock]::Create(@($input) -join "`n"))
