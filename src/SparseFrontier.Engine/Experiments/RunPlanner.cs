using SparseFrontier.Analysis;
using SparseFrontier.Attention;
using SparseFrontier.Models.Transformer;
using SparseFrontier.Tensors;

namespace SparseFrontier.Experiments;

/// <summary>Says what specifications would run and what that would cost: from their configuration files and tokenizers, without loading a model.</summary>
internal static class RunPlanner
{
    /// <summary>Level and power of the test behind <see cref="SparseAttentionPlan.DetectableDifference"/>.</summary>
    private const double Level = 0.05;
    private const double TestPower = 0.8;

    // The standard deviation of the difference of two unrelated scores of 0 or 1, half of each.
    private static readonly double s_largestSpread = Math.Sqrt(0.5);

    /// <summary>The plans, in the order of the runs.</summary>
    /// <param name="specifications">The specifications.</param>
    /// <param name="runs">What they mean.</param>
    /// <param name="engines">How models are found.</param>
    /// <param name="times">What was measured on this machine.</param>
    /// <param name="stepAlone">Whether each run's sequence steps alone.</param>
    public static IReadOnlyList<SparseAttentionPlan> Plan(
        IReadOnlyList<RunSpecification> specifications, IReadOnlyList<PlannedRun> runs, EngineFactory engines, RunTimes times, bool stepAlone = false)
    {
        var models = runs.Select(r => r.ModelDirectory).Distinct()
            .ToDictionary(d => d, d => (Configuration: engines.ReadConfiguration(d), CacheBytes: engines.ReadCacheType(d).SizeInBytes()));
        var tooShort = new Dictionary<string, SparseFrontierException?>();
        List<Forecast> forecasts =
        [
            .. runs.Select(run => Forecast.Of(run, models[run.ModelDirectory].Configuration, models[run.ModelDirectory].CacheBytes, FindTooShort(run, engines, tooShort))),
        ];
        List<IGrouping<string, Forecast>> groups = [.. forecasts.Where(f => f.Infeasible is null).GroupBy(f => f.PrefillKey)];
        var numbers = groups.Select((g, i) => (g.Key, Number: i + 1, Count: g.Count())).ToDictionary(g => g.Key);
        var sharing = forecasts.Where(f => f.Infeasible is null).GroupBy(f => f.CellKey).ToDictionary(g => g.Key, g => stepAlone ? 1 : g.Count());
        var detectable = runs.Select(r => r.Specification.SampleCount).Distinct().ToDictionary(n => n, DetectableDifference);
        return
        [
            .. forecasts.Select((f, i) => f.Infeasible is null
                ? f.Row(specifications[i], numbers[f.PrefillKey].Number, numbers[f.PrefillKey].Count, sharing[f.CellKey], detectable[f.Run.Specification.SampleCount], times)
                : f.Row(specifications[i], null, 0, 0, null, times)),
        ];
    }

    /// <summary>What a run costs, in a line: "60 prompts of 2048 tokens ...".</summary>
    public static string Describe(SparseAttentionPlan plan)
    {
        if (!plan.IsFeasible)
        {
            return $"infeasible, nothing will be computed. {plan.Message}";
        }

        string shared = plan.PrefillRunCount > 1 ? FormattableString.Invariant($", prefill {plan.PrefillGroup} shared by {plan.PrefillRunCount} runs") : "";
        string calibration = plan.NeedsCalibration ? FormattableString.Invariant($", before that calibration on {Calibration.SampleCount} samples") : "";
        string dense = plan.Message.Length > 0 ? $". {plan.Message.TrimEnd('.')}" : "";
        string seconds = plan.PredictedSeconds is double time
            ? FormattableString.Invariant($". About {time:G2} s, {plan.PredictionMessage}")
            : $". No seconds are predicted: {plan.PredictionMessage}";
        return FormattableString.Invariant(
            $"at most {plan.PromptTokens} prompt tokens{Operations(plan.SharedPrefillOperations)}{shared}, {plan.OutputTokens} output tokens{Bytes(plan.BytesRead)}{calibration}{dense}{seconds}");
    }

    /// <summary>What runs cost together, in a line; of those whose budget is known only when they run, without it.</summary>
    public static string DescribeTotal(IReadOnlyList<SparseAttentionPlan> plans)
    {
        int infeasible = plans.Count(p => !p.IsFeasible);
        string left = infeasible > 0 ? FormattableString.Invariant($"; {Counted.Of(infeasible, "infeasible run computes", "infeasible runs compute")} nothing") : "";

        // Runs that share a prefill read its prompts once.
        long prompts = plans.Where(p => p.IsFeasible).GroupBy(p => p.PrefillGroup).Sum(g => g.Max(p => p.PromptTokens));
        return FormattableString.Invariant(
            $"at most {prompts} prompt tokens{Operations(Total(p => p.SharedPrefillOperations))}, {plans.Sum(p => p.OutputTokens)} output tokens{Bytes(Total(p => p.BytesRead))}{left}");

        double? Total(Func<SparseAttentionPlan, double?> cost) => plans.Select(cost).OfType<double>().ToArray() is { Length: > 0 } known ? known.Sum() : null;
    }

    private static string Operations(double? operations) => operations is double flops ? FormattableString.Invariant($", {flops / 1e9:F1} GFLOP to read them") : "";

    private static string Bytes(double? bytes) => bytes is not double read ? ""
        : read < 1L << 30 ? FormattableString.Invariant($" that read {read / (1L << 20):F1} MiB of cache")
        : FormattableString.Invariant($" that read {read / (1L << 30):F1} GiB of cache");

    /// <summary>The smallest difference of means that <paramref name="samples"/> pairs find; null where it is above 1.</summary>
    public static double? DetectableDifference(int samples)
    {
        if (samples < 2 || Power.OfTest(1 / s_largestSpread, samples, Level) < TestPower)
        {
            return null;
        }

        double low = 0;
        double high = 1;
        for (int i = 0; i < 40; i++)
        {
            double middle = (low + high) / 2;
            (low, high) = Power.OfTest(middle / s_largestSpread, samples, Level) < TestPower ? (middle, high) : (low, middle);
        }

        return high;
    }

    // A task whose smallest sample is longer than the prompt. Data files and code of the user's own are not read for it, and a tokenizer that is missing is for the run to say.
    private static SparseFrontierException? FindTooShort(PlannedRun run, EngineFactory engines, Dictionary<string, SparseFrontierException?> known)
    {
        if (run.Task.ReadsData || run.Task.CodeHash is not null)
        {
            return null;
        }

        RunSpecification s = run.Specification;
        string key = FormattableString.Invariant($"{run.ModelDirectory};{s.Task};{s.TaskParameters};{s.SequenceLength};{s.QuestionPosition};{s.ShortInstructions}");
        if (!known.TryGetValue(key, out SparseFrontierException? found))
        {
            try
            {
                run.Task.Open(run.TaskOptions, engines.OpenEncoder(run.ModelDirectory));
            }
            catch (SparseFrontierException e)
            {
                found = e.ErrorId == ErrorIds.SequenceLengthInvalid ? e : null;
            }

            known.Add(key, found);
        }

        return found;
    }

    /// <summary>One phase of a run: its parameters with the budget solved at the full length.</summary>
    private sealed record Phase(AttentionMethod Method, MethodParameters? Solved, MethodParameters Given, double? Sparsity, bool FellBack)
    {
        public static Phase Solve(AttentionMethod method, MethodParameters given, double? sparsity, PromptShape shape, bool allowFallback)
        {
            try
            {
                if (method.BudgetParameter is null)
                {
                    return new Phase(method, null, given, 0, false);
                }

                if (method.NeedsCalibration && sparsity is not null)
                {
                    return new Phase(method, null, given, sparsity, false);
                }

                MethodParameters solved = sparsity is null ? given : method.SolveBudget(sparsity.Value, shape, given).Parameters;
                method.RequireFeasible(shape, solved);
                return new Phase(method, solved, solved, method.ExpectedSparsity(shape, solved), false);
            }
            catch (BudgetInfeasibleException) when (allowFallback)
            {
                return new Phase(method, null, given, 0, true);
            }
        }
    }

    /// <summary>What is known of a run.</summary>
    private sealed record Forecast(PlannedRun Run, ModelConfiguration Configuration, int ElementBytes, Phase? Prefill, Phase? Decode, SparseFrontierException? Infeasible)
    {
        private string? _prefillKey;
        private string? _cellKey;

        /// <summary>Names the cell and the device, whose runs generate side by side. The folder stands for the checkpoint's content, which only loading would tell.</summary>
        public string CellKey => _cellKey ??= $"{RunIdentity.Cell(Run, new ModelIdentity(Run.ModelDirectory, "", null), Run.TaskOptions.DataPath).ToJsonString()};{Run.Specification.Device}";

        /// <summary>Names the prefill: the cell, the method, its budget.</summary>
        public string PrefillKey => _prefillKey ??= NamePrefill();

        private string NamePrefill()
        {
            string method = Prefill!.Method.BudgetParameter is null || Prefill.FellBack ? "" : $"{Prefill.Method.Name};{Prefill.Given};{(Prefill.Solved is null ? Prefill.Sparsity : null)}";
            return $"{CellKey};{method}";
        }

        public static Forecast Of(PlannedRun run, ModelConfiguration configuration, int elementBytes, SparseFrontierException? tooShort)
        {
            if (tooShort is not null)
            {
                return new Forecast(run, configuration, elementBytes, null, null, tooShort);
            }

            RunSpecification specification = run.Specification;
            PromptShape shape = SamplePrompt.Shape(configuration, specification.SequenceLength);
            try
            {
                return new Forecast(
                    run,
                    configuration,
                    elementBytes,
                    Phase.Solve(run.Prefill, run.PrefillParameters, specification.Sparsity, shape, specification.AllowDenseFallback),
                    Phase.Solve(run.Decode, run.DecodeParameters, specification.DecodeSparsity, shape, specification.AllowDenseFallback),
                    null);
            }
            catch (BudgetInfeasibleException e)
            {
                return new Forecast(run, configuration, elementBytes, null, null, e);
            }
        }

        public SparseAttentionPlan Row(RunSpecification given, int? group, int groupSize, int companions, double? detectable, RunTimes times)
        {
            RunSpecification run = Run.Specification;
            ModelShape shape = ModelShape.From(ModelCatalog.NameOf(run.Model), Configuration);
            double? operations = Infeasible is null ? PromptOperations(shape) * run.SampleCount : null;
            double? build = Infeasible is null ? run.SampleCount * CostModel.BuildOperations(shape, run.SequenceLength, 1, Run.Decode, Decode!.Given) : null;
            (double? seconds, string prediction) = Infeasible is null ? Seconds(shape, times, groupSize, companions) : (null, "it is infeasible");
            return new SparseAttentionPlan
            {
                Model = given.Model,
                Method = given.Method,
                DecodeMethod = given.DecodeMethod,
                Parameters = given.Parameters,
                DecodeParameters = given.DecodeParameters,
                Sparsity = given.Sparsity,
                DecodeSparsity = given.DecodeSparsity,
                Task = given.Task,
                TaskParameters = given.TaskParameters,
                SequenceLength = given.SequenceLength,
                SampleCount = given.SampleCount,
                MaximumOutputTokens = given.MaximumOutputTokens,
                Seed = given.Seed,
                QuestionPosition = given.QuestionPosition,
                CompressBefore = given.CompressBefore,
                DenseLayers = given.DenseLayers,
                BudgetSchedule = given.BudgetSchedule,
                AllowDenseFallback = given.AllowDenseFallback,
                ReferenceScoring = given.ReferenceScoring,
                ShortInstructions = given.ShortInstructions,
                Device = given.Device,
                TaskDataPath = given.TaskDataPath,
                IsFeasible = Infeasible is null,
                MaximumFeasibleSparsity = (Infeasible as BudgetInfeasibleException)?.MaximumFeasibleSparsity,
                Message = Infeasible?.Message ?? (Prefill!.FellBack || Decode!.FellBack ? "The length cannot hold the budget: samples run dense." : ""),
                ExpectedSparsity = Prefill?.Sparsity,
                ExpectedDecodeSparsity = Decode?.Sparsity,
                SolvedParameters = Prefill?.Solved?.ToString() ?? "",
                SolvedDecodeParameters = Decode?.Solved?.ToString() ?? "",
                NeedsCalibration = Infeasible is null && Run.Prefill.NeedsCalibration && run.Sparsity is not null,
                PrefillGroup = group,
                PrefillRunCount = groupSize,
                PromptTokens = Infeasible is null ? (long)run.SampleCount * run.SequenceLength : 0,
                OutputTokens = Infeasible is null ? (long)run.SampleCount * run.MaximumOutputTokens : 0,
                PrefillOperations = operations + build,
                SharedPrefillOperations = (operations / groupSize) + build,
                BytesRead = Infeasible is null ? run.SampleCount * GenerationBytes(shape) : null,
                CacheBytes = Infeasible is null ? SequenceBytes(shape) : null,
                PredictedSeconds = seconds,
                PredictionMessage = prediction,
                DetectableDifference = detectable,
            };
        }

        private (double? Seconds, string Message) Seconds(ModelShape shape, RunTimes times, int sharing, int companions)
        {
            RunSpecification run = Run.Specification;
            PredictedTime time = times.Predict(shape, new SparseAttentionResult
            {
                Model = ModelCatalog.NameOf(run.Model),
                Device = run.Device,
                Task = run.Task,
                SequenceLength = run.SequenceLength,
                Method = Prefill!.FellBack ? "Dense" : run.Method,
                DecodeMethod = Decode!.FellBack ? "Dense" : run.DecodeMethod,
                Parameters = (Prefill.Solved ?? Prefill.Given).ToString(),
                DecodeParameters = (Decode.Solved ?? Decode.Given).ToString(),
                PrefillSparsity = Prefill.Sparsity,
                DecodeSparsity = Decode.Sparsity,
                CacheSparsity = Decode.Sparsity,
            }, companions);
            double tokens = Math.Min(time.OutputTokens ?? run.MaximumOutputTokens, run.MaximumOutputTokens);
            return time is { Prefill: { } prefill, OutputToken: { } token }
                ? (run.SampleCount * ((prefill / sharing) + (tokens * token)), time.Message)
                : (null, time.Message);
        }

        private double? PromptOperations(ModelShape shape) => Prefill!.Sparsity is double sparsity
            ? CostModel.Prefill(
                shape,
                Run.Specification.SequenceLength,
                1,
                Prefill.FellBack ? MethodRegistry.FindPrefill("Dense") : Run.Prefill,
                Prefill.FellBack ? MethodRegistry.FindPrefill("Dense").CreateParameters() : Prefill.Solved ?? Prefill.Given,
                sparsity,
                CostFormula.Exact).Total
            : null;

        // What is read grows by one token a step, and so by the same amount: the mean step stands for all.
        private double? GenerationBytes(ModelShape shape)
        {
            if (Decode!.Sparsity is not double sparsity)
            {
                return null;
            }

            int length = Run.Specification.SequenceLength;
            int steps = Run.Specification.MaximumOutputTokens;
            int cached = length + ((steps + 1) / 2);
            DecodeMethod method = Decode.FellBack ? MethodRegistry.FindDecode("Dense") : Run.Decode;
            DecodeCost step = CostModel.Decode(
                shape, cached, 1, method, Decode.FellBack ? method.CreateParameters() : Decode.Given, sparsity * length / cached, CostFormula.Exact, cacheBytes: ElementBytes);
            return steps * (step.KeyValue + step.Index);
        }

        private double SequenceBytes(ModelShape shape)
        {
            RunSpecification run = Run.Specification;
            bool evicts = Run.Decode is EvictionMethod && !Decode!.FellBack;
            double prompt = run.SequenceLength * (1 - (evicts ? Decode!.Sparsity ?? 0 : 0));
            double tokens = 0;
            foreach (int window in shape.SlidingWindows)
            {
                tokens += window == 0 ? prompt + run.MaximumOutputTokens : run.SequenceLength + run.MaximumOutputTokens;
            }

            return 2 * shape.KvWidth * tokens * ElementBytes;
        }
    }
}
