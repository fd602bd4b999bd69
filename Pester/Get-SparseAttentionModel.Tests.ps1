BeforeDiscovery {
    Import-Module "$PSScriptRoot/TestKit.psm1" -Force
    $noModel = -not (Test-EmbeddedModel)
}

BeforeAll {
    Import-Module "$PSScriptRoot/TestKit.psm1" -Force
    Import-SparseFrontier
}

Describe 'Get-SparseAttentionModel' {
    It 'lists embedded models' -Skip:$noModel {
        $model = Get-SparseAttentionModel | Where-Object IsDefault
        @($model).Count | Should -Be 1
        $model.ParameterCount | Should -BeGreaterThan 0
        $model.Path | Should -Exist
    }

    It 'reads a checkpoint in the current location, by path and from the pipeline' {
        Expand-GoldenCheckpoint TestDrive:/qwen3-hub-float16
        Push-Location TestDrive:/
        try {
            (Get-SparseAttentionModel ./qwen3-hub-float16).Architecture | Should -Be qwen3
            (Get-ChildItem -Directory -Filter qwen3* | Get-SparseAttentionModel).Name | Should -Be qwen3-hub-float16
            (Get-SparseAttentionModel -LiteralPath qwen3-hub-float16).Name | Should -Be qwen3-hub-float16
        }
        finally { Pop-Location }
    }

    It 'takes wildcards' -Skip:$noModel {
        Push-Location (Join-Path (Get-RepositoryRoot) models)
        try { (Get-SparseAttentionModel ./frontier*).Count | Should -BeGreaterOrEqual 2 }
        finally { Pop-Location }
    }

    It 'reports what is not there' {
        Get-ErrorId { Get-SparseAttentionModel nosuchmodel } | Should -Be ModelNotFound
    }

    It 'refuses a path of another provider' {
        Get-ErrorId { Get-SparseAttentionModel -LiteralPath Env:PATH } | Should -Be PathNotFileSystem
    }
}
