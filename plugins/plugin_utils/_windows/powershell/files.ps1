# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

# A file's last bytes, shared with whoever writes to it. What leads elsewhere (a link, a junction) is not followed.
function Test-Plain($x){-not ($x.Attributes -band [IO.FileAttributes]::ReparsePoint)}
function Read-Tail($path,$bytes){
    $x=Get-Item -LiteralPath $path -Force -ErrorAction SilentlyContinue
    if(-not $x){return $null}
    if(-not (Test-Plain $x)){return @{path=$path;link=$true}}
    try{
        $s=[IO.File]::Open($path,'Open','Read','ReadWrite, Delete')
        try{
            $n=[int][Math]::Min($s.Length,$bytes)
            [void]$s.Seek(-$n,'End')
            $b=New-Object byte[] $n
            $got=0
            while($got -lt $n){$c=$s.Read($b,$got,$n-$got);if($c -le 0){break};$got+=$c}
            @{path=$path;length=[string]$s.Length;written=$x.LastWriteTimeUtc.ToString('o');data=[Convert]::ToBase64String($b,0,$got)}
        }finally{$s.Dispose()}
    }catch{@{path=$path;problem=Get-Problem $_}}
}
function Get-Folders($path){
    $x=Get-Item -LiteralPath $path -Force -ErrorAction SilentlyContinue
    if(-not $x -or -not (Test-Plain $x)){return}
    Get-ChildItem -LiteralPath $path -Directory -Force -ErrorAction SilentlyContinue|Where-Object{Test-Plain $_}
}
function Get-Newest($path,$filter){
    $x=Get-ChildItem -LiteralPath $path -Filter $filter -File -Force -ErrorAction SilentlyContinue
    $x|Sort-Object LastWriteTimeUtc -Descending|Select-Object -First 1
}
