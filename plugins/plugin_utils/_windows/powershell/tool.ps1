# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

# A tool's output is taken as bytes: which code page it wrote in is worked out later. It may block for as long as a hung
# writer does, so it has a limit of its own and is ended there.
function Invoke-Tool($file,$arguments,$seconds){
    $i=New-Object Diagnostics.ProcessStartInfo
    $i.FileName=$file;$i.Arguments=$arguments;$i.UseShellExecute=$false
    $i.RedirectStandardOutput=$true;$i.RedirectStandardError=$true
    $w=[Diagnostics.Stopwatch]::StartNew()
    $x=[Diagnostics.Process]::Start($i)
    $out=New-Object IO.MemoryStream;$err=New-Object IO.MemoryStream
    $t=[Threading.Tasks.Task[]]@($x.StandardOutput.BaseStream.CopyToAsync($out),$x.StandardError.BaseStream.CopyToAsync($err))
    $ended=[Threading.Tasks.Task]::WaitAll($t,[int](1000*$seconds)) -and $x.WaitForExit(5000)
    if(-not $ended){try{$x.Kill()}catch{};[void][Threading.Tasks.Task]::WaitAll($t,5000)}
    $code=$null;if($x.HasExited){$code=[int]$x.ExitCode}
    @{exit=$code;timed_out=(-not $ended);seconds=[Math]::Round($w.Elapsed.TotalSeconds,3);bytes=[string]$out.Length
        out=[Convert]::ToBase64String($out.GetBuffer(),0,[int][Math]::Min($out.Length,1048576))
        err=[Convert]::ToBase64String($err.GetBuffer(),0,[int][Math]::Min($err.Length,65536))}
}
