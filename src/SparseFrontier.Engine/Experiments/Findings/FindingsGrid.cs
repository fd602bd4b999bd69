using SparseFrontier.Tasks;
using static System.FormattableString;

namespace SparseFrontier.Experiments.Findings;

/// <summary>Which of the two readings of the paper's windows, forced sets, floors and tiles a run has.</summary>
internal enum FindingSeries
{
    /// <summary>The paper's values, whatever the length: on short prompts much of what is kept was never chosen.</summary>
    Absolute,

    /// <summary>The paper's values in proportion to the length, so that lengths compare.</summary>
    Scaled,

    /// <summary>Other values: an ablation.</summary>
    Other,
}

/// <summary>
/// The grid behind docs/findings.md: the paper's comparisons and their controls on lengths that small models hold. Every difficulty parameter is the same at
/// all lengths, and feasible at the shortest. docs/findings.md says what can and cannot be concluded from it.
/// </summary>
internal static class FindingsGrid
{
    /// <summary>The length at which the scaled series has the paper's values, so that the two series are one there.</summary>
    public const int ReferenceLength = 8192;

    /// <summary>The longest prompts that the embedded models were trained on.</summary>
    public const int TrainedLength = 8192;

    /// <summary>The paper's levels but 0 (section 3.2 of its version 3).</summary>
    public static readonly IReadOnlyList<double> Sparsities = [0.33, 0.5, 0.6, 0.7, 0.8, 0.87, 0.9, 0.93, 0.95];

    private static readonly int[] s_lengths = [1024, 2048, 4096, 8192];
    private static readonly string[] s_models = ["frontier-1m", "frontier-3m", "frontier-7m"];
    private static readonly string[] s_tasks = ["Niah", "VariableTracking", "CommonWords", "StoryRetrieval", "StoryMultiHop", "StoryFiltering"];

    private static readonly double[] s_compressedSparsities = [0.5, 0.8, 0.9, 0.95];
    private static readonly double[] s_ablationSparsities = [0.8, 0.9];

    // Below the reference length a threshold with the paper's floor of 512 keeps nearly everything, and no sparsity can be asked of another floor: floors and thresholds over
    // the range of the paper's table instead, floors in proportion to the length.
    private static readonly (double Alpha, int Floor)[] s_flexPrefill = [(0, 96), (0, 160), (0, 256), (0, 400), (0.3, 512), (0.5, 512), (0.65, 512), (0.8, 512), (0.9, 512)];

    // The paper's own thresholds leave out less than half of these models' diffuse attention.
    private static readonly double[] s_ablationThresholds = [0.02, 0.1, 0.2];

    // Parameters that fit the shortest length, where the paper's do not: the others have the paper's.
    private static readonly Dictionary<string, string> s_easier = new()
    {
        ["CommonWords"] = "CommonFrequency=10;RareFrequency=1",
        ["StoryRetrieval"] = "Queries=2",
    };

    // The lengths that hold the paper's parameters of those tasks.
    private static readonly int[] s_paperDifficulty = [4096, 8192];

    /// <summary>The one length at which caches are compressed before the question is known as well.</summary>
    private const int CompressedLength = 4096;

    // The small grid, meant for two cores and a quarter of an hour.
    private const int SmallSampleCount = 6;
    private static readonly string[] s_smallTasks = ["Niah", "StoryRetrieval", "StoryFiltering", "CommonWords"];
    private static readonly int[] s_smallLengths = [1024, 2048];
    private static readonly double[] s_smallSparsities = [0.8, 0.9];
    private static readonly (double Alpha, int Floor)[] s_smallFlexPrefill = [(0, 160), (0, 400), (0.65, 512)];

    private static readonly string[] s_controls = ["Random", "WindowSink", "OracleTopK"];
    private static readonly string[] s_prefill = ["VerticalSlash", "FlexPrefill", "BlockSparse"];
    private static readonly string[] s_decode = ["SnapKV", "AdaSnapKV", "Quest"];

    /// <summary>Whether a model is one of those that the grid is run on, or another training of one.</summary>
    public static bool IsEmbedded(string model) => EmbeddedOf(model) is not null;

    /// <summary>The embedded model of whose size a model is, by its name: frontier-7m of itself and of frontier-7m-2, another training of it (models/training/seeds); null of any other.</summary>
    public static string? EmbeddedOf(string model) => s_models.FirstOrDefault(m =>
        model.StartsWith(m, StringComparison.OrdinalIgnoreCase) && (model.Length == m.Length || (model.Length == m.Length + 2 && model[m.Length] == '-' && model[^1] is >= '2' and <= '9')));

    /// <summary>Whether a model is another training of an embedded one, whose weights are not shipped: frontier-7m-2, not frontier-7m.</summary>
    public static bool IsOtherTraining(string model) => EmbeddedOf(model) is { } embedded && embedded.Length < model.Length;

    /// <summary>The series of a row by the parameters that are not its budget.</summary>
    /// <param name="row">A row of a sparse method.</param>
    public static FindingSeries SeriesOf(SparseAttentionResult row)
    {
        bool prefill = !Attention.MethodRegistry.IsDense(row.Method);
        string method = prefill ? row.Method : row.DecodeMethod;
        int window = TaskRegistry.Tasks.FirstOrDefault(t => t.Name == row.Task)?.ApproximationWindow ?? 256;
        return Values(prefill ? row.Parameters : row.DecodeParameters) is not { } given ? FindingSeries.Other
            : Has(ReferenceLength) ? FindingSeries.Absolute
            : row.SequenceLength < ReferenceLength && Has(row.SequenceLength) ? FindingSeries.Scaled
            : FindingSeries.Other;

        // A floor under a threshold and the share of every head are fixed as well; a floor without a threshold is the budget.
        bool Has(int length) => Holds(given, Fixed(method, prefill, window, length))
            && (method != "FlexPrefill" || given.GetValueOrDefault("Alpha") == 0 || given.GetValueOrDefault("MinimumBudget") == Proportion(512, length))
            && given.GetValueOrDefault("MinimumHeadRatio", 0.2) == 0.2;
    }

    /// <summary>Whether a row's method has anything that is scaled.</summary>
    public static bool IsScalable(SparseAttentionResult row) => Attention.MethodRegistry.IsDense(row.Method)
        ? Fixed(row.DecodeMethod, false, 256, ReferenceLength).Count > 0
        : Fixed(row.Method, true, 256, ReferenceLength).Count > 0;

    /// <summary>The parameters of a row of no series that an ablation changed, as "Name=value"; empty where none is one that the paper tried.</summary>
    /// <param name="row">A row of a sparse method.</param>
    public static string VariantOf(SparseAttentionResult row)
    {
        bool prefill = !Attention.MethodRegistry.IsDense(row.Method);
        string method = prefill ? row.Method : row.DecodeMethod;
        int window = TaskRegistry.Tasks.FirstOrDefault(t => t.Name == row.Task)?.ApproximationWindow ?? 256;
        IReadOnlyList<KeyValuePair<string, double>> usual = [.. Fixed(method, prefill, window, ReferenceLength), new("MinimumHeadRatio", 0.2), new("MinimumBudget", 512)];
        return Values(prefill ? row.Parameters : row.DecodeParameters) is { } given
            ? ParameterText.Format(usual.Where(u => given.TryGetValue(u.Key, out double value) && value != u.Value).Select(u => KeyValuePair.Create(u.Key, given[u.Key])))
            : "";
    }

    /// <summary>The runs of a preset: "Findings", or "FindingsSmall" for minutes on two cores.</summary>
    /// <param name="sweep">Names models, tasks, lengths, methods, samples and seeds that the preset is restricted to, and how the prompts are.</param>
    /// <param name="small">Whether the small one is meant.</param>
    /// <param name="methods">Methods that are asked for; null: all.</param>
    public static IEnumerable<RunSpecification> Runs(SweepDefinition sweep, bool small, IReadOnlyCollection<string>? methods)
    {
        SweepDefinition grid = sweep with
        {
            Model = sweep.Model.Count > 0 ? sweep.Model : s_models,
            Task = sweep.Task.Count > 0 ? sweep.Task : small ? s_smallTasks : s_tasks,
            SequenceLength = sweep.SequenceLength.Count > 0 ? sweep.SequenceLength : small ? s_smallLengths : s_lengths,
            SampleCount = sweep.SampleCount ?? (small ? SmallSampleCount : 50),
            MaximumOutputTokens = sweep.MaximumOutputTokens ?? 512,
            ShortInstructions = true,
        };
        foreach (CellDefinition asked in SweepBuilder.Cells(grid))
        {
            CellDefinition cell = asked.TaskParameters.Length > 0 ? asked : asked with { TaskParameters = s_easier.GetValueOrDefault(asked.Task.Name, "") };
            IEnumerable<RunSpecification> runs = small ? SmallCell(cell) : Cell(cell, sweep.Model.Count > 0 ? sweep.Model[^1] : s_models[^1]);
            foreach (RunSpecification run in runs.Where(r => methods?.Contains(r.Method == "Dense" ? r.DecodeMethod : r.Method) != false))
            {
                yield return run;
            }
        }
    }

    /// <summary>The paper's windows, forced sets, floors and tiles of a method, at a length in proportion to it; empty where a method has none.</summary>
    /// <param name="method">Method; controls have those of the method whose unit they share.</param>
    /// <param name="prefill">Whether the prefill method of that name is meant.</param>
    /// <param name="window">The paper's approximation window of the task, for VerticalSlash and FlexPrefill.</param>
    /// <param name="length">Prompt tokens; <see cref="ReferenceLength"/> for the paper's own values.</param>
    public static IReadOnlyList<KeyValuePair<string, double>> Fixed(string method, bool prefill, int window, int length) => (method, prefill) switch
    {
        ("VerticalSlash" or "FlexPrefill", true) =>
        [
            new("ForcedSlashes", Proportion(64, length)), new("ForcedVerticals", Proportion(4, length)), new("Window", Proportion(window, length)),
        ],
        ("BlockSparse" or "Random" or "WindowSink" or "OracleTopK", true) =>
        [
            new("BlockSize", Tile(length)), new("ForcedFirstBlocks", 1), new("ForcedLocalBlocks", 2),
        ],
        ("SnapKV" or "AdaSnapKV", false) =>
        [
            // An average over an odd number of tokens.
            new("KernelSize", (2 * (Proportion(21, length) / 2)) + 1), new("LocalWindow", Proportion(128, length)), new("PrefixTokens", Proportion(4, length)), new("Window", Proportion(256, length)),
        ],
        ("Random" or "WindowSink", false) => [new("LocalWindow", Proportion(128, length)), new("PrefixTokens", Proportion(4, length))],
        ("Quest", false) => [new("PageSize", Tile(length))],
        _ => [],
    };

    // A block or page of the paper's 16 tokens; budgets are whole pages, so a power of two.
    private static int Tile(int length) => 1 << Math.Max(0, (int)Math.Round(Math.Log2(16.0 * length / ReferenceLength)));

    private static int Proportion(int value, int length) => Math.Max(1, (int)Math.Round((double)value * length / ReferenceLength));

    private static IEnumerable<RunSpecification> Cell(CellDefinition cell, string largest)
    {
        IReadOnlyList<double> sparsities = cell.Sweep.Sparsity.Count > 0 ? cell.Sweep.Sparsity : Sparsities;
        string[] all = [.. s_prefill, .. s_decode];
        IEnumerable<Combination> combinations = Series(cell, sparsities, scaled: false, all, s_controls);
        if (cell.SequenceLength < ReferenceLength)
        {
            combinations = combinations.Concat(Series(cell, sparsities, scaled: true, all, s_controls));
        }

        if (cell.SequenceLength == ReferenceLength && cell.Model == largest)
        {
            combinations = combinations.Concat(SweepPresets.Ablation(s_ablationSparsities, s_ablationThresholds, cell).Select(c => WithoutDefaults(c, cell)));
        }

        foreach (Combination combination in combinations.Distinct())
        {
            yield return cell.Specify(combination);
        }

        // The paper's parameters as a second series where the length holds them.
        if (s_easier.TryGetValue(cell.Task.Name, out string? easier) && cell.TaskParameters == easier && s_paperDifficulty.Contains(cell.SequenceLength))
        {
            CellDefinition paper = cell with { TaskParameters = "" };
            foreach (Combination combination in Series(paper, sparsities, scaled: false, all, []))
            {
                yield return paper.Specify(combination);
            }
        }

        if (cell.SequenceLength == CompressedLength)
        {
            CellDefinition compressed = cell with { Sweep = cell.Sweep with { CompressBefore = "Question" } };
            foreach (Combination combination in Series(compressed, s_compressedSparsities, scaled: true, all, []))
            {
                yield return compressed.Specify(combination);
            }
        }
    }

    // Six methods and the three controls of either phase at two sparsities, the scaled series alone.
    private static IEnumerable<RunSpecification> SmallCell(CellDefinition cell)
    {
        IReadOnlyList<double> sparsities = cell.Sweep.Sparsity.Count > 0 ? cell.Sweep.Sparsity : s_smallSparsities;
        foreach (Combination combination in Series(cell, sparsities, cell.SequenceLength < ReferenceLength, [.. s_prefill, .. s_decode], s_controls, s_smallFlexPrefill))
        {
            yield return cell.Specify(combination);
        }
    }

    /// <summary>Dense attention, then methods and controls of both phases at sparsities, in one series.</summary>
    private static IEnumerable<Combination> Series(
        CellDefinition cell, IReadOnlyList<double> sparsities, bool scaled, string[] methods, string[] controls, (double Alpha, int Floor)[]? thresholds = null)
    {
        yield return new Combination("Dense", "", null, "Dense", "", null);
        foreach ((string method, bool prefill) in methods.Select(m => (m, s_prefill.Contains(m))).Concat(controls.Select(c => (c, true))).Concat(controls.Select(c => (c, false))))
        {
            string parameters = scaled ? ParameterText.Format(Fixed(method, prefill, cell.Task.ApproximationWindow, cell.SequenceLength)) : "";
            if (scaled && method == "FlexPrefill")
            {
                foreach ((double alpha, int floor) in thresholds ?? s_flexPrefill)
                {
                    yield return new Combination(method, Invariant($"Alpha={alpha};{parameters};MinimumBudget={Proportion(floor, cell.SequenceLength)}"), null, "Dense", "", null);
                }

                continue;
            }

            foreach (double sparsity in sparsities)
            {
                yield return prefill
                    ? new Combination(method, parameters, sparsity, "Dense", "", null)
                    : new Combination("Dense", "", null, method, parameters, sparsity);
            }
        }
    }

    // What an ablation names besides, so that its usual value is the run that the grid has already.
    private static Combination WithoutDefaults(Combination combination, CellDefinition cell)
    {
        return combination with { Parameters = Strip(combination.Method, true, combination.Parameters), DecodeParameters = Strip(combination.DecodeMethod, false, combination.DecodeParameters) };

        string Strip(string method, bool prefill, string text)
        {
            Attention.AttentionMethod? found = prefill ? MethodLookup.Prefill(method) : MethodLookup.Decode(method);
            IReadOnlyList<KeyValuePair<string, double>> usual = Fixed(method, prefill, cell.Task.ApproximationWindow, ReferenceLength);
            return found is null ? text : ParameterText.Format(ParameterText.Parse(text).Where(p => p.Value != usual.Where(u => u.Key == p.Key).Select(u => u.Value).FirstOrDefault(found.CreateParameters().Values[p.Key]) || found.BudgetParameters.Contains(p.Key)));
        }
    }

    // Everything that is given has the value that is meant.
    private static bool Holds(Dictionary<string, double> given, IReadOnlyList<KeyValuePair<string, double>> meant) =>
        meant.All(m => given.TryGetValue(m.Key, out double value) && value == m.Value);

    // What ends with a schedule is no plain list of numbers, and of no series.
    private static Dictionary<string, double>? Values(string parameters)
    {
        try
        {
            return ParameterText.Parse(parameters).GroupBy(p => p.Key).ToDictionary(p => p.Key, p => p.Last().Value);
        }
        catch (SparseFrontierException)
        {
            return null;
        }
    }
}
