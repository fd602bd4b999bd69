using SparseFrontier.Experiments.Findings;
using SparseFrontier.Models.Transformer;
using static System.FormattableString;

namespace SparseFrontier.Experiments;

/// <summary>
/// The paper's own grids (The Sparse Frontier, arXiv:2504.17768): budgets of its appendix by length, and the ablations of each method's other
/// parameters; and the grid of its findings on small models (<see cref="FindingsGrid"/>). Methods, tasks, models, lengths and seeds named in the sweep restrict them.
/// </summary>
internal static class SweepPresets
{
    private static readonly int[] s_lengths = [16384, 32768, 65536, 128000];

    // Table 6 of version 1 (table 4 of version 3), from the sparsest to the densest.
    private static readonly Dictionary<int, int[]> s_verticalSlash = new()
    {
        [16384] = [164, 240, 315, 400, 448, 576, 768, 1024, 1536, 2304],
        [32768] = [290, 384, 448, 576, 704, 1024, 1536, 2304, 3584, 4608],
        [65536] = [400, 448, 544, 640, 960, 1280, 2304, 4096, 6144, 8192],
        [128000] = [480, 768, 1024, 1536, 2048, 3584, 5632, 10240, 13312, 18432],
    };

    private static readonly Dictionary<int, (double Alpha, int Floor)[]> s_flexPrefill = new()
    {
        [16384] = [(0, 164), (0, 240), (0, 315), (0, 400), (0.55, 512), (0.71, 512), (0.88, 512)],
        [32768] = [(0, 290), (0, 384), (0.45, 512), (0.6, 512), (0.7, 512), (0.8, 512), (0.92, 512)],
        [65536] = [(0, 400), (0.45, 512), (0.55, 512), (0.7, 512), (0.77, 512), (0.85, 512), (0.94, 512)],
    };

    private static readonly Dictionary<int, int[]> s_blockSparse = new()
    {
        [16384] = [26, 35, 53, 71, 108, 188, 300],
        [32768] = [52, 69, 105, 141, 216, 376, 600],
        [65536] = [104, 139, 210, 283, 432, 752, 1200],
    };

    private static readonly Dictionary<int, int[]> s_capacity = new()
    {
        [16384] = [819, 1092, 1638, 2183, 3276, 4915, 6553, 8192, 9830, 11468],
        [32768] = [1638, 2185, 3276, 4367, 6553, 9830, 13107, 16384, 19660, 22937],
        [65536] = [3276, 4371, 6553, 8735, 13107, 19660, 26214, 32768, 39321, 45875],
        [128000] = [6400, 8544, 12800, 17056, 25600, 38400, 51200, 64000, 76800, 89600],
    };

    private static readonly Dictionary<int, int[]> s_quest = new()
    {
        [16384] = [816, 1088, 1632, 2176, 3280, 4912, 6560, 8192, 9824, 11472],
        [32768] = [1632, 2192, 3280, 4368, 6560, 9824, 13104, 16384, 19664, 22944],
        [65536] = [3280, 4368, 6560, 8736, 13104, 19664, 26208, 32768, 39328, 45872],
        [128000] = [6400, 8544, 12800, 17056, 25600, 38400, 51200, 64000, 76800, 89600],
    };

    // Section 3.4 of the protocol: what was tried for each parameter, at sparsities up to 0.9.
    private static readonly double[] s_ablationSparsities = [0.5, 0.6, 0.7, 0.8, 0.87, 0.9];
    private static readonly (string Method, string Parameter, double[] Values)[] s_ablations =
    [
        ("BlockSparse", "BlockSize", [16, 32, 64]),
        ("Quest", "PageSize", [16, 32, 64]),
        ("AdaSnapKV", "MinimumHeadRatio", [0.1, 0.2, 0.3, 0.5, 0.99]),
        ("FlexPrefill", "MinimumBudget", [128, 256, 512]),
        ("SnapKV", "Window", [64, 128, 256, 512]),
        ("SnapKV", "KernelSize", [5, 7, 13, 21]),
        ("VerticalSlash", "Window", [128, 256, 512, 1024]),
    ];

    /// <summary>The preset that a sweep names.</summary>
    /// <exception cref="SparseFrontierException">ParameterInvalid: a length that it has no budgets for, or sparsities or parameters that it sets itself.</exception>
    public static IReadOnlyList<RunSpecification> Build(SweepDefinition sweep)
    {
        bool paper = sweep.Preset == SweepPreset.Paper;
        if (sweep.Parameter.Length > 0 || sweep.DecodeMethod.Count > 0 || (paper && sweep.Sparsity.Count + sweep.DecodeSparsity.Count > 0))
        {
            throw Invalid($"The preset {sweep.Preset} sets the methods' parameters itself. Leave Parameter, DecodeMethod and sparsities out.", sweep.Preset);
        }

        if (sweep.Sparsity.Count == 0 && sweep.DecodeSparsity.Count > 0)
        {
            throw Invalid("The ablations take Sparsity for the methods of both phases. Give Sparsity instead of DecodeSparsity.", sweep.DecodeSparsity);
        }

        if (sweep.Preset is SweepPreset.Findings or SweepPreset.FindingsSmall)
        {
            // A pattern matches no controls, which belong to this grid: only names restrict it.
            string[]? named = sweep.Method.Count > 0 ? [.. SweepBuilder.FindMethods(sweep.Method, decodeOnly: false).Select(m => m.Method.Name)] : null;
            List<RunSpecification> findings = [.. FindingsGrid.Runs(sweep, sweep.Preset == SweepPreset.FindingsSmall, named)];
            return findings.Count > 0 ? findings : throw Invalid($"The preset {sweep.Preset} has no run of {string.Join(", ", sweep.Method.Concat(sweep.Task))}.", sweep.Method);
        }

        HashSet<string> methods = [.. SweepBuilder.FindMethods(sweep.Method.Count > 0 ? sweep.Method : ["*"], decodeOnly: false).Select(m => m.Method.Name)];
        SweepDefinition complete = sweep with
        {
            Task = sweep.Task.Count > 0 ? sweep.Task : ["*"],
            SequenceLength = sweep.SequenceLength.Count > 0 ? sweep.SequenceLength : paper ? s_lengths : [16384],
            MaximumOutputTokens = sweep.MaximumOutputTokens ?? 1024,
        };
        var specifications = new List<RunSpecification>();
        foreach (CellDefinition cell in SweepBuilder.Cells(complete))
        {
            var counted = cell with { Sweep = complete with { SampleCount = sweep.SampleCount ?? (IsQwen(cell.Model) ? 100 : 50) } };
            // A floor matters under a threshold: the paper's thresholds at the length whose budgets the ablation uses.
            IEnumerable<Combination> combinations = paper ? Paper(counted)
                : Ablation(sweep.Sparsity.Count > 0 ? sweep.Sparsity : s_ablationSparsities, [.. s_flexPrefill[16384].Select(b => b.Alpha).Where(a => a > 0)], counted);
            specifications.AddRange(combinations
                .Where(c => methods.Contains(c.Method == "Dense" ? c.DecodeMethod : c.Method))
                .Distinct()
                .Select(counted.Specify));
        }

        return specifications.Count > 0
            ? specifications
            : throw Invalid($"The preset {sweep.Preset} has no run of {string.Join(", ", sweep.Method.Concat(sweep.Task))}.", sweep.Method);
    }

    private static IEnumerable<Combination> Paper(CellDefinition cell)
    {
        int length = cell.SequenceLength;
        if (!s_verticalSlash.TryGetValue(length, out int[]? verticalSlash))
        {
            throw Invalid(
                Invariant($"The paper has no budgets for {length} tokens, only for {string.Join(", ", s_lengths)}. Name one of these, or give sparsities without the preset."),
                length);
        }

        string window = Invariant($"Window={cell.Task.ApproximationWindow}");
        yield return Dense();
        foreach (int size in verticalSlash)
        {
            yield return Prefill("VerticalSlash", Invariant($"SlashSize={size};VerticalSize={size};{window}"));
        }

        foreach ((double alpha, int floor) in s_flexPrefill.GetValueOrDefault(length, []))
        {
            yield return Prefill("FlexPrefill", Invariant($"Alpha={alpha};MinimumBudget={floor};{window}"));
        }

        foreach (int blocks in s_blockSparse.GetValueOrDefault(length, []))
        {
            yield return Prefill("BlockSparse", Invariant($"BlockSize=16;TopBlocks={blocks}"));
        }

        const string Eviction = "KernelSize=21;LocalWindow=128;PrefixTokens=4;Window=256";
        foreach (int capacity in s_capacity.GetValueOrDefault(length, []))
        {
            yield return Decode("SnapKV", Invariant($"Capacity={capacity};{Eviction}"));
            yield return Decode("AdaSnapKV", Invariant($"Capacity={capacity};MinimumHeadRatio=0.2;{Eviction}"));
        }

        foreach (int budget in s_quest[length])
        {
            yield return Decode("Quest", Invariant($"PageSize=16;SharePages=1;TokenBudget={budget}"));
        }
    }

    /// <summary>Every value that the paper tried of each method's parameters, and dense attention.</summary>
    /// <param name="sparsities">Sparsities of the methods; FlexPrefill's follow from its thresholds.</param>
    /// <param name="thresholds">FlexPrefill's thresholds.</param>
    /// <param name="cell">The cell, whose task names the window.</param>
    internal static IEnumerable<Combination> Ablation(IReadOnlyList<double> sparsities, IReadOnlyList<double> thresholds, CellDefinition cell)
    {
        yield return Dense();
        string window = Invariant($"Window={cell.Task.ApproximationWindow}");
        foreach ((string method, string parameter, double[] values) in s_ablations)
        {
            foreach (double value in values)
            {
                string text = Invariant($"{parameter}={value}");
                if (method == "FlexPrefill")
                {
                    foreach (double alpha in thresholds)
                    {
                        yield return Prefill(method, Invariant($"Alpha={alpha};{text};{window}"));
                    }

                    continue;
                }

                foreach (double sparsity in sparsities)
                {
                    yield return MethodLookup.Prefill(method) is not null
                        ? Prefill(method, text) with { Sparsity = sparsity }
                        : Decode(method, text) with { DecodeSparsity = sparsity };
                }
            }
        }
    }

    private static Combination Dense() => new("Dense", "", null, "Dense", "", null);

    private static Combination Prefill(string method, string parameters) => new(method, parameters, null, "Dense", "", null);

    private static Combination Decode(string method, string parameters) => new("Dense", "", null, method, parameters, null);

    /// <summary>Whether a model is of the family that the paper drew 100 samples for: by its configuration, or by its name where that cannot be read.</summary>
    private static bool IsQwen(string model)
    {
        try
        {
            return ModelConfiguration.Load(ModelCatalog.Resolve(model)).Family.StartsWith("qwen", StringComparison.Ordinal);
        }
        catch (SparseFrontierException)
        {
            return ModelCatalog.NameOf(model).Contains("qwen", StringComparison.OrdinalIgnoreCase);
        }
    }

    private static SparseFrontierException Invalid(string message, object? target) => new(ErrorIds.ParameterInvalid, message, target);
}
