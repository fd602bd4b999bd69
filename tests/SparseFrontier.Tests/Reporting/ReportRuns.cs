using System.Text.Json;
using SparseFrontier.Experiments;

namespace SparseFrontier.Tests.Reporting;

/// <summary>Runs on disk whose names, parameters and outputs are whatever a test wants, and layers that nobody timed.</summary>
internal static class ReportRuns
{
    /// <summary>What people and models write to break a page.</summary>
    public const string Hostile = "</script><script>window.injected=1</script><img src=x onerror=\"window.injected=1\">'\"&<!--<script>\u2028]]>\u0001";

    /// <summary>
    /// Dense attention and five sparse runs of each phase and both, on two tasks and lengths: dense answers all, sparse runs lose the more the sparser they are.
    /// </summary>
    public static IReadOnlyList<SparseAttentionResult> Write(string folder, string hostile = "", int samples = 20)
    {
        List<SparseAttentionResult> rows = [];
        foreach (string task in (string[])["Niah", $"Own{hostile}"])
        {
            foreach (int length in (int[])[1024, 2048])
            {
                rows.Add(Run(folder, task, length, "Dense", "Dense", 0, 0, samples, hostile));
                foreach (double sparsity in (double[])[0.5, 0.9])
                {
                    rows.Add(Run(folder, task, length, "BlockSparse", "Dense", sparsity, 0, samples, hostile));
                    rows.Add(Run(folder, task, length, "Dense", "Quest", 0, sparsity, samples, hostile));
                    rows.Add(Run(folder, task, length, $"Mine{hostile}", "Dense", sparsity, 0, samples, hostile));
                }

                rows.Add(Run(folder, task, length, "BlockSparse", "Quest", 0.5, 0.5, samples, hostile));
            }
        }

        return rows;
    }

    /// <summary>A table as <c>kernels measure</c> makes it: both phases, two lengths.</summary>
    public static IReadOnlyList<KernelMeasurement> Kernels =>
    [
        .. from length in (int[])[1024, 4096]
           from method in (string[])["Dense", "BlockSparse", "VerticalSlash"]
           from sparsity in method == "Dense" ? (double[])[0] : [0.5, 0.8]
           select new KernelMeasurement
           {
               Phase = "Prefill", Method = method, DataType = "F32", Device = "cpu", SequenceLength = length, QueryHeads = 8, KvHeads = 2, HeadDimension = 64,
               RequestedSparsity = sparsity, Sparsity = sparsity, AttentionMilliseconds = length * (1 - sparsity), TotalMilliseconds = length * (1.1 - sparsity), SpeedUp = 1 / (1.1 - sparsity),
               IdealSpeedUp = 1 / (1 - sparsity), GigaOperationsPerSecond = 90 - (20 * sparsity), RoofShare = (90 - (20 * sparsity)) / 100, IterationCount = 5,
           },
        .. from method in (string[])["Dense", "SnapKV"]
           from sparsity in method == "Dense" ? (double[])[0] : [0.5, 0.8]
           select new KernelMeasurement
           {
               Phase = "Decode", Method = method, DataType = "BF16", Device = "cpu", SequenceLength = 4096, QueryHeads = 8, KvHeads = 2, HeadDimension = 64, RequestedSparsity = sparsity,
               Sparsity = sparsity, TotalMilliseconds = 1 - (0.9 * sparsity), SpeedUp = 1 / (1 - (0.9 * sparsity)), GigaBytesPerSecond = 12, RoofShare = 0.8, IterationCount = 5,
           },
    ];

    private static SparseAttentionResult Run(
        string folder, string task, int length, string method, string decode, double prefillSparsity, double decodeSparsity, int samples, string hostile)
    {
        string id = Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.UTF8.GetBytes($"{task}{length}{method}{decode}{prefillSparsity}{decodeSparsity}")))[..16];
        double lost = (0.3 * prefillSparsity * prefillSparsity) + (0.5 * decodeSparsity) + (length / 40960.0 * prefillSparsity);
        SampleResult[] results =
        [
            .. Enumerable.Range(0, samples).Select(i => new SampleResult
            {
                RunId = id, Index = i, Score = (i * 7 % samples) < lost * samples ? 0 : 1, GoldJson = $$"""{"answers":["{{i}}"]}""", Output = $"The answer is {i} {hostile}",
                PrefillSparsity = prefillSparsity, DecodeSparsity = decodeSparsity, PromptTokens = length, OutputTokenCount = 10, Device = "cpu",
            }),
        ];
        var directory = new RunDirectory(Path.Combine(folder, $"run-{id}"));
        Directory.CreateDirectory(directory.Path);
        double score = results.Average(r => r.Score!.Value);
        var row = new SparseAttentionResult
        {
            RunId = id,
            Method = method,
            DecodeMethod = decode,
            Task = task,
            Model = $"tiny{hostile}",
            SequenceLength = length,
            RequestedSparsity = prefillSparsity > 0 ? prefillSparsity : decodeSparsity > 0 ? decodeSparsity : null,
            RequestedDecodeSparsity = prefillSparsity > 0 && decodeSparsity > 0 ? decodeSparsity : null,
            PrefillSparsity = prefillSparsity,
            DecodeSparsity = decodeSparsity,
            Parameters = hostile,
            Score = score,
            ScoreLow = Math.Max(0, score - 0.1),
            ScoreHigh = Math.Min(1, score + 0.1),
            SampleCount = samples,
            PrefillSeconds = length / 1024.0 * (1.2 - prefillSparsity),
            DecodeSeconds = 1 - (0.5 * decodeSparsity),
            OutputTokenCount = 10,
            SequencesPerStep = 1,
            Seed = 1,
            Device = $"cpu{hostile}",
            MaximumOutputTokens = 40,
            CacheType = "BF16",
            Status = RunStatus.Completed,
            ModuleVersion = $"0.1.0{hostile}",
            StartedAt = DateTimeOffset.UtcNow,
            Path = directory.Path,
        };
        directory.WriteSpecification(new StoredSpecification { RunId = id, Identity = new System.Text.Json.Nodes.JsonObject { ["Checkpoint"] = $"c0ffee{hostile}", ["TaskVersion"] = 1 } });
        File.WriteAllLines(directory.File("samples-0001.jsonl"), results.Select(r => JsonSerializer.Serialize(r, StoreJson.Line)));
        directory.WriteSummary(row);
        return row;
    }
}
