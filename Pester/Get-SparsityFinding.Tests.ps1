BeforeAll {
    Import-Module "$PSScriptRoot/TestKit.psm1" -Force
    Import-SparseFrontier
    $run = Get-SmallRun (New-TinyModel "$TestDrive/tiny") "$TestDrive/results"
    $run.SampleCount = 2
    $script:rows = Invoke-SparseAttentionRun Dense, Quest, SnapKV -Sparsity 0.5 @run
}

Describe 'Get-SparsityFinding' {
    It 'has a row for each claim, and says why it cannot tell' {
        # An untrained model: its dense score is 0, so that nothing could be lost.
        $findings = $rows | Get-SparsityFinding
        $findings.Name | Should -Contain 'QuestOverAdaSnapKV'
        $findings.Label | Select-Object -Unique | Should -Be NotTestable
        $findings | ForEach-Object { $_.Message | Should -Not -BeNullOrEmpty }
        $findings[0].BlindCount | Should -Be 1
        ($rows | Get-SparsityFinding -Name Quest*).Name | Should -Be QuestOverAdaSnapKV
    }

    It 'writes a page' {
        $pattern = [SparseFrontier.AttentionPattern]@{ Model = 'tiny'; Phase = 'Prefill'; Layer = 1; Head = 2; FirstTokenMass = 0.5 }
        $page = $rows | Get-SparsityFinding -AsMarkdown -AttentionPattern $pattern
        $page | Should -BeOfType string
        $page | Should -Match '# Findings'
        $page | Should -Match '\| tiny \| Prefill \| 1 \| 2 \| 0\.50 \|'
        $page | Should -Match 'Quest over AdaSnapKV'
    }

    It 'says why it cannot' {
        Get-ErrorId { $rows | Get-SparsityFinding -Name NoSuch } | Should -Be ParameterInvalid
        Get-ErrorId { $rows | Get-SparsityFinding -Series Both } | Should -Be ParameterArgumentValidationError
    }

    It 'completes claims, with what they say' {
        $completion = Get-Completion '$rows | Get-SparsityFinding -Name QuestOver'
        $completion.CompletionText | Should -Be QuestOverAdaSnapKV
        $completion.ToolTip | Should -Match '^Quest .+'
    }

    It 'completes series' { (Get-Completion '$rows | Get-SparsityFinding -Series ').CompletionText | Should -Be Absolute, Scaled }
}
