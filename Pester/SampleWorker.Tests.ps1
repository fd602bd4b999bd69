BeforeAll {
    Import-Module "$PSScriptRoot/TestKit.psm1" -Force
    Import-SparseFrontier
    $tiny = New-TinyModel (Join-Path TestDrive: tiny)
}

Describe 'Worker processes of several devices' {
    It 'are PowerShell with the module''s engine, which answers through a pipe' {
        $engine = [SparseFrontier.RunSpecification].Assembly.Location
        $name = "sf-$([guid]::NewGuid().ToString('N').Substring(0, 12))"
        $pipe = [IO.Pipes.NamedPipeServerStream]::new($name, 'InOut', 1, 'Byte', 'Asynchronous')
        $program = @(Get-PowerShellProgram)
        $start = [Diagnostics.ProcessStartInfo]::new($program[0])
        $program | Select-Object -Skip 1 | ForEach-Object { $start.ArgumentList.Add($_) }
        $start.RedirectStandardInput = $start.RedirectStandardOutput = $start.RedirectStandardError = $true
        '-NoProfile', '-NonInteractive', '-Command', "Add-Type -LiteralPath '$engine'; exit [SparseFrontier.Experiments.SampleWorker]::Serve('$name')" |
            ForEach-Object { $start.ArgumentList.Add($_) }
        $process = [Diagnostics.Process]::Start($start)
        $process.StandardInput.Close()
        try {
            $pipe.WaitForConnectionAsync().Wait(60000) | Should -BeTrue
            $writer = [IO.StreamWriter]::new($pipe)
            $reader = [IO.StreamReader]::new($pipe)
            function Get-Answer ($request) {
                $writer.WriteLine(($request | ConvertTo-Json -Compress -Depth 5))
                $writer.Flush()
                do { ($answer = $reader.ReadLine() | ConvertFrom-Json) } until ($answer.IsDone)
            }

            (Get-Answer @{ ModelDirectory = (Resolve-Path $tiny).ProviderPath; Device = 'cpu'; BatchSize = 2 })[0].Identity.Checkpoint | Should -Match '^[0-9a-f]{64}$'
            $run = @{ Model = (Resolve-Path $tiny).ProviderPath; Method = 'Dense'; Task = 'Niah'; TaskParameters = 'Queries=1'; SequenceLength = 960; MaximumOutputTokens = 4; Device = 'cpu'; ShortInstructions = $true }
            $answers = Get-Answer @{ Sample = 1; Jobs = @(@{ Run = $run; RunId = 'abc'; Prefill = ''; Decode = '' }) }
            $answers[0].Row.RunId | Should -Be abc
            $answers[0].Row.Index | Should -Be 1
            $answers[0].Row.Device | Should -Be cpu

            # It ends with the pipe.
            $pipe.Dispose()
            $process.WaitForExit(30000) | Should -BeTrue
            $process.ExitCode | Should -Be 0
        } finally {
            $pipe.Dispose()
            if (-not $process.HasExited) { $process.Kill($true) }
        }
    }

    It 'are not started for a list of devices that means nothing: <devices>' -ForEach @(
        @{ devices = 'cpu', 'cuda:0' }
        @{ devices = 'cuda:0', 'cuda:0' }
        @{ devices = 'cuda:0,cpu' }
    ) {
        Get-ErrorId { Invoke-SparseAttentionRun Dense -Device $devices -ResultPath (Join-Path TestDrive: wrong) } | Should -Be ParameterInvalid
    }
}
