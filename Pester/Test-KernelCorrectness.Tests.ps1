BeforeAll {
    Import-Module "$PSScriptRoot/TestKit.psm1" -Force
    Import-SparseFrontier
}

Describe 'Test-KernelCorrectness' {
    It 'finds the kernels right' {
        $results = Test-KernelCorrectness
        $results.Count | Should -BeGreaterThan 5
        $results | Where-Object -not Passed | Should -BeNullOrEmpty
        $results | Should -BeOfType SparseFrontier.KernelCorrectnessResult
    }

    It 'gives one Boolean with -Quiet' {
        $kernel = (Test-KernelCorrectness)[0].Kernel
        $answer = Test-KernelCorrectness $kernel -Quiet
        $answer | Should -BeOfType bool
        $answer | Should -BeTrue
    }

    It 'reports a kernel that is not there' {
        Get-ErrorId { Test-KernelCorrectness NoSuchKernel } | Should -Be KernelNotFound
    }

    It 'takes a pattern of no kernel for an error: what tested nothing has not passed' {
        Get-ErrorId { Test-KernelCorrectness NoSuch* } | Should -Be KernelNotFound
        Test-KernelCorrectness NoSuch* -Quiet -ErrorAction SilentlyContinue -ErrorVariable script:said | Should -BeFalse
        $said | Should -Match "No kernel of cpu matches 'NoSuch\*'. Known: .*MatMul"
    }
}
