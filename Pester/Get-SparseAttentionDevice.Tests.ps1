BeforeAll {
    Import-Module "$PSScriptRoot/TestKit.psm1" -Force
    Import-SparseFrontier
}

Describe 'Get-SparseAttentionDevice' {
    It 'lists the processor' {
        $device = Get-SparseAttentionDevice cpu
        $device.Kind | Should -Be Cpu
        $device.ProcessorCount | Should -Be ([Environment]::ProcessorCount)
        $device.MemoryBytes | Should -BeGreaterThan 0
        $device.EnergyCounter | Should -Match '^(RAPL|none: )'
    }

    It 'reports a device that is not there' {
        Get-ErrorId { Get-SparseAttentionDevice tpu:7 } | Should -Be DeviceNotFound
    }

    It 'completes names' {
        (Get-Completion 'Get-SparseAttentionDevice c').CompletionText | Should -Contain cpu
    }
}
