using System.Globalization;
using SparseFrontier.Experiments;

namespace SparseFrontier.Reporting;

/// <summary>The text of computed table cells, the same in PowerShell's views and on the command line. Numbers follow the current culture.</summary>
public static class CellText
{
    private static readonly string[] s_units = ["B", "KiB", "MiB", "GiB", "TiB"];
    private static readonly string[] s_prefixes = ["", "K", "M", "G", "T", "P", "E"];

    // Narrower columns hold no line that is worth a break.
    private const int NarrowestLine = 8;

    /// <summary>The methods of a run: "Dense", "VerticalSlash", "Quest" or "VerticalSlash + Quest".</summary>
    public static string Methods(string method, string decodeMethod) => VisibleText.Line(MethodNames.Of(method, decodeMethod));

    /// <summary>A text that comes from outside: an answer of a model, a name in a file. On one line, and nothing in it acts on a terminal.</summary>
    public static string Text(string? text) => VisibleText.Line(text);

    /// <summary>The same in lines, for a table's last column: PowerShell alone would break within words.</summary>
    /// <param name="text">The text.</param>
    /// <param name="width">Characters of a line; where there is no room to speak of, the text stays on one.</param>
    public static string Words(string? text, int width) => width < NarrowestLine ? Text(text) : string.Join('\n', Lines(Text(text), width));

    /// <summary>The heading of a group in lines that are indented as PowerShell indents the first: it alone would break within words.</summary>
    /// <param name="text">The heading, in a line or several.</param>
    /// <param name="width">Characters that the first line has room for, after its indent and label.</param>
    public static string Heading(string text, int width) => string.Join(
        "\n   ", (text ?? "").Split('\n').Select(l => l.Trim()).SelectMany(l => width < NarrowestLine ? [l] : Lines(l, width)));

    /// <summary>Breaks a text at blanks, or where there are none in time, at the width.</summary>
    public static IEnumerable<string> Lines(string text, int width)
    {
        ArgumentNullException.ThrowIfNull(text);
        ArgumentOutOfRangeException.ThrowIfLessThan(width, 1);
        return Break(text, width);

        static IEnumerable<string> Break(string text, int width)
        {
            while (text.Length > width)
            {
                int blank = text.LastIndexOf(' ', width);
                yield return blank > 0 ? text[..blank] : text[..width];
                text = blank > 0 ? text[(blank + 1)..] : text[width..];
            }

            yield return text;
        }
    }

    /// <summary>As <see cref="Text"/>, with every run of white space as one blank.</summary>
    public static string Flat(string? text) => VisibleText.Line(string.Join(' ', (text ?? "").Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)));

    /// <summary>Where runs are from: "Niah at 2048 tokens, frontier-3m".</summary>
    public static string RunHeading(string task, int sequenceLength, string? model) =>
        VisibleText.Line(FormattableString.Invariant($"{task} at {sequenceLength} tokens, {(string.IsNullOrEmpty(model) ? "default model" : model)}"));

    /// <summary>What was asked: the sparsities of the sparse phases, "0.90", "0.80 / 0.90", or "-" where a budget was given instead.</summary>
    public static string Requested(double? sparsity, double? decodeSparsity)
    {
        string[] parts = [.. new[] { sparsity, decodeSparsity }.OfType<double>().Select(s => Fraction(s))];
        return parts.Length == 0 ? "-" : string.Join(" / ", parts);
    }

    /// <summary>A fraction with two decimals, "-" where there is none.</summary>
    public static string Fraction(double? value) => value?.ToString("F2", CultureInfo.CurrentCulture) ?? "-";

    /// <summary>A score with three decimals, "-" where there is none.</summary>
    public static string Score(double? value) => value?.ToString("F3", CultureInfo.CurrentCulture) ?? "-";

    /// <summary>An interval, "[0.85, 0.97]", or nothing.</summary>
    public static string Interval(double? low, double? high) => low is null || high is null ? "" : $"[{Fraction(low)}, {Fraction(high)}]";

    /// <summary>
    /// What stands where the interval of a run's score is: the interval; "dense 4/20" where samples fell back to dense attention, so that the score says little of the method;
    /// the state of a run that has no score for another reason than that it is under way.
    /// </summary>
    public static string RunInterval(double? low, double? high, int fallbackCount, int sampleCount, RunStatus status) =>
        fallbackCount > 0 ? FormattableString.Invariant($"dense {fallbackCount}/{sampleCount}")
        : low is null && high is null && status != RunStatus.Completed ? status.ToString()
        : Interval(low, high);

    /// <summary>The state of a run in full: "Completed, 4 of 20 samples ran dense".</summary>
    public static string RunState(SparseAttentionResult row)
    {
        ArgumentNullException.ThrowIfNull(row);
        return row.FallbackCount > 0 ? FormattableString.Invariant($"{row.Status}, {row.FallbackCount} of {Counted.Of(row.SampleCount, "sample")} ran dense") : row.Status.ToString();
    }

    /// <summary>What was wrong with a sample: that it fell back to dense attention, that its answer has not the form asked for.</summary>
    public static string SampleFailure(bool denseFallback, string? formatFailure) =>
        VisibleText.Line(string.Join(", ", new[] { denseFallback ? "ran dense" : "", formatFailure ?? "" }.Where(t => t.Length > 0)));

    /// <summary>Seconds with two decimals, "-" where there are none.</summary>
    public static string Seconds(double? value) => value?.ToString("F2", CultureInfo.CurrentCulture) ?? "-";

    /// <summary>Milliseconds with three figures or two decimals, "-" where there are none.</summary>
    public static string Milliseconds(double? value) =>
        value?.ToString(value >= 100 ? "F0" : value >= 10 ? "F1" : "F2", CultureInfo.CurrentCulture) ?? "-";

    /// <summary>A factor, "9.5x", "-" where there is none.</summary>
    public static string Factor(double? value) => value is null ? "-" : $"{value.Value.ToString(value >= 10 ? "F1" : "F2", CultureInfo.CurrentCulture)}x";

    /// <summary>What a measurement executed in a second of attending, "692 TFLOP/s", or of a step what it read in a second, "3.21 TB/s"; "-" where it is unknown.</summary>
    public static string Rate(KernelMeasurement row)
    {
        ArgumentNullException.ThrowIfNull(row);
        return row.GigaOperationsPerSecond is { } operations ? $"{Amount(operations * 1e9)}FLOP/s"
            : row.GigaBytesPerSecond is { } bytes ? $"{Amount(bytes * 1e9)}B/s"
            : "-";
    }

    /// <summary>The layer that a measurement was made on.</summary>
    public static string KernelShape(KernelMeasurement row)
    {
        ArgumentNullException.ThrowIfNull(row);
        return VisibleText.Line(FormattableString.Invariant($"{row.Phase} on {row.Device}: {row.QueryHeads} query and {row.KvHeads} KV heads of {row.HeadDimension}, {row.DataType}"));
    }

    /// <summary>The sample and the queries that rows of a pattern are of.</summary>
    public static string PatternHeading(AttentionPattern row)
    {
        ArgumentNullException.ThrowIfNull(row);
        string sample = row.Task.Length > 0 ? FormattableString.Invariant($"{row.Task} at {row.SequenceLength} tokens, {row.Model}, sample {row.SampleIndex}") : row.Path ?? "";
        string queries = row.Phase == nameof(Attention.AttentionPhase.Prefill) ? "queries of the prompt" : "queries after the prompt";
        return VisibleText.Line(FormattableString.Invariant($"{row.Phase}, {sample}: {row.QueryCount} of {row.QueryTotal} {queries}"));
    }

    /// <summary>The name of a file, without its folder.</summary>
    public static string FileHeading(string path) => VisibleText.Line(Path.GetFileName(path));

    /// <summary>Bytes in binary units with three figures: "512 B", "1.46 GiB".</summary>
    public static string Bytes(double? bytes)
    {
        if (bytes is not double value)
        {
            return "-";
        }

        int unit = 0;
        while (value >= 1024 && unit < s_units.Length - 1)
        {
            value /= 1024;
            unit++;
        }

        string format = unit == 0 || value >= 100 ? "F0" : value >= 10 ? "F1" : "F2";
        return $"{value.ToString(format, CultureInfo.CurrentCulture)} {s_units[unit]}";
    }

    /// <summary>A count in decimal units: "5.1M", "7.6B".</summary>
    public static string Count(double? count) => count switch
    {
        null => "-",
        >= 1e9 => $"{(count.Value / 1e9).ToString("F1", CultureInfo.CurrentCulture)}B",
        >= 1e6 => $"{(count.Value / 1e6).ToString("F1", CultureInfo.CurrentCulture)}M",
        >= 1e3 => $"{(count.Value / 1e3).ToString("F0", CultureInfo.CurrentCulture)}K",
        _ => count.Value.ToString("F0", CultureInfo.CurrentCulture),
    };

    /// <summary>A cost: fractions with four decimals, larger numbers with four figures, from a hundred thousand on with a decimal prefix.</summary>
    public static string Cost(double value) =>
        Math.Abs(value) >= 1e5 ? Amount(value) : value.ToString(Math.Abs(value) <= 1 ? "F4" : "G4", CultureInfo.CurrentCulture);

    /// <summary>What a point is: its methods, with the model before them where the frontier holds several.</summary>
    public static string Point(SparsityPoint point)
    {
        ArgumentNullException.ThrowIfNull(point);
        string methods = Methods(point.Method, point.DecodeMethod);
        return point.ModelCount > 1 ? VisibleText.Line($"{point.Model} {methods}") : methods;
    }

    /// <summary>The mark of a point on the frontier: a star, or a circle where it is there by its cost alone; empty for a dominated one.</summary>
    public static string FrontierMark(SparsityPoint point)
    {
        ArgumentNullException.ThrowIfNull(point);
        return !point.IsOptimal ? "" : point.IsAboveChance == false ? "\u25cb" : "\u2605";
    }

    /// <summary>Whether a point is on the frontier, in words: "yes", "by cost alone", or nothing.</summary>
    public static string OnFrontier(SparsityPoint point)
    {
        ArgumentNullException.ThrowIfNull(point);
        return !point.IsOptimal ? "" : point.IsAboveChance == false ? "by cost alone" : "yes";
    }

    /// <summary>What a frontier is of: "Niah at 2048 tokens, frontier-3m: Score against PrefillFlops".</summary>
    public static string FrontierHeading(SparsityPoint point)
    {
        ArgumentNullException.ThrowIfNull(point);
        string place = point.Frontier.Length > 0 ? point.Frontier : FormattableString.Invariant($"{point.Task} at {point.SequenceLength} tokens, {point.Model}");
        return VisibleText.Line($"{place}: {point.ValueName} against {point.CostName}");
    }

    /// <summary>A large amount with three figures and a decimal prefix: "1.23 T", "456 G".</summary>
    public static string Amount(double value)
    {
        int unit = 0;
        while (Math.Abs(value) >= 999.5 && unit < s_prefixes.Length - 1)
        {
            value /= 1000;
            unit++;
        }

        string format = (unit == 0 && value == Math.Floor(value)) || Math.Abs(value) >= 99.95 ? "F0" : Math.Abs(value) >= 9.995 ? "F1" : "F2";
        return $"{value.ToString(format, CultureInfo.CurrentCulture)} {s_prefixes[unit]}".TrimEnd();
    }

    /// <summary>A number beside a tick of an axis: short, from a thousand on with a decimal prefix.</summary>
    public static string Tick(double value) => Math.Abs(value) >= 1000
        ? TrimZeros(Amount(value))
        : value == 0 ? "0" : double.Parse(value.ToString("G3", CultureInfo.InvariantCulture), CultureInfo.InvariantCulture).ToString("0.######", CultureInfo.CurrentCulture);

    // "20.0 G" is "20 G".
    private static string TrimZeros(string amount)
    {
        string[] parts = amount.Split(' ');
        parts[0] = double.Parse(parts[0], CultureInfo.CurrentCulture).ToString(CultureInfo.CurrentCulture);
        return string.Join(' ', parts);
    }

    /// <summary>A share as a percentage with one decimal, without its sign.</summary>
    public static string Percent(double value) => (100 * value).ToString("F1", CultureInfo.CurrentCulture);

    /// <summary>What a table of costs is of: "Decode of Qwen2.5-7B at 32768 tokens, batch 8: byte a step (exact)".</summary>
    public static string CostHeading(SparseAttentionCost cost)
    {
        ArgumentNullException.ThrowIfNull(cost);
        string per = cost.Phase == "Decode" ? " a step" : "";
        string formula = cost.Formula switch
        {
            CostFormula.Printed => "the paper's equations",
            CostFormula.Figure => "as the paper's figures",
            _ => "exact",
        };
        return VisibleText.Line(FormattableString.Invariant(
            $"{cost.Phase} of {cost.Model} at {cost.SequenceLength} tokens, batch {cost.BatchSize}: {cost.Unit}s{per}, {formula}"));
    }

    /// <summary>What a table of tolerances is of.</summary>
    public static string ToleranceHeading(SparsityTolerance tolerance)
    {
        ArgumentNullException.ThrowIfNull(tolerance);
        string rule = tolerance.Criterion == ToleranceCriterion.Paper
            ? FormattableString.Invariant($"not significantly below dense at {1 - tolerance.ConfidenceLevel:G3} (the paper's rule)")
            : FormattableString.Invariant($"loss below {tolerance.MaximumDrop:G3}{(tolerance.IsRelative ? " of dense" : "")} with confidence {tolerance.ConfidenceLevel:G3}");
        return VisibleText.Line($"{tolerance.Model}: largest sparsity, {rule}");
    }

    /// <summary>The task of a tolerance, "Niah", or in the worst-task view "Niah (of 9)".</summary>
    public static string Tasks(SparsityTolerance tolerance)
    {
        ArgumentNullException.ThrowIfNull(tolerance);
        return VisibleText.Line(tolerance.TaskCount > 1 ? FormattableString.Invariant($"{tolerance.Task} (of {tolerance.TaskCount})") : tolerance.Task);
    }

    /// <summary>The prefill that a planned run uses, "2 of 3 runs" where runs share it, or that it cannot be run.</summary>
    public static string SharedPrefill(SparseAttentionPlan plan)
    {
        ArgumentNullException.ThrowIfNull(plan);
        return plan.PrefillGroup is null ? "infeasible" : plan.PrefillRunCount > 1 ? FormattableString.Invariant($"{plan.PrefillGroup} of {plan.PrefillRunCount} runs") : FormattableString.Invariant($"{plan.PrefillGroup}");
    }

    /// <summary>A large amount, "-" where it is unknown.</summary>
    public static string Operations(double? value) => value is double known ? Amount(known) : "-";

    /// <summary>What a table of comparisons is of.</summary>
    public static string DifferenceHeading(ResultDifference difference)
    {
        ArgumentNullException.ThrowIfNull(difference);
        return VisibleText.Line(FormattableString.Invariant($"{difference.Task} at {difference.SequenceLength} tokens, {difference.Model}: margin {difference.MaximumDrop:G3}, confidence {difference.ConfidenceLevel:G3}"));
    }

    /// <summary>What a table of verdicts on a claim is of.</summary>
    public static string ClaimHeading(SparsityClaim claim)
    {
        ArgumentNullException.ThrowIfNull(claim);
        return VisibleText.Line(FormattableString.Invariant($"{claim.Claim}, {claim.Model}: difference above {claim.Threshold:G3} with confidence {claim.ConfidenceLevel:G3}"));
    }

    /// <summary>A difference with its sign and three decimals, "-" where there is none.</summary>
    public static string Signed(double? value) => value?.ToString("+0.000;-0.000;0.000", CultureInfo.CurrentCulture) ?? "-";

    /// <summary>An interval of differences, "[-0.021, 0.035]", or nothing.</summary>
    public static string SignedInterval(double? low, double? high) => low is null || high is null ? "" : $"[{Signed(low)}, {Signed(high)}]";

    /// <summary>Heading of findings: their series.</summary>
    public static string FindingHeading(SparsityFinding row) => VisibleText.Line($"{row?.Series} windows, forced sets, floors and tiles");

    /// <summary>A label, and whether it rests on lengths beyond training.</summary>
    public static string FindingLabel(SparsityFinding row)
    {
        ArgumentNullException.ThrowIfNull(row);
        return row.Label.ToString() + (row.IsExtrapolated ? ", Extrapolated" : "");
    }

    /// <summary>The name of a claim, what its methods gain over Random and lack to OracleTopK, the share of attention of findings about cost, why, and samples needed.</summary>
    public static string FindingText(SparsityFinding row)
    {
        ArgumentNullException.ThrowIfNull(row);
        string[] parts =
        [
            row.GainOverRandom is { } random ? $"over Random {Signed(random)}" : "",
            row.GapToOracle is { } oracle ? $"to OracleTopK {Signed(oracle)}" : "",
            row.AttentionShare is { } share ? string.Create(CultureInfo.CurrentCulture, $"attention {share:P0} of the cost{(row.EquivalentLength is { } length ? $", as Qwen2.5-7B at {length} tokens" : "")}") : "",
            row.Message,
            row.NeededSampleCount is { } needed ? string.Create(CultureInfo.CurrentCulture, $"about {needed} samples a run (now {row.RunSampleCountLow}{(row.RunSampleCountHigh > row.RunSampleCountLow ? $" to {row.RunSampleCountHigh}" : "")}) would decide it") : "",
        ];
        string text = string.Join("; ", parts.Where(p => p.Length > 0));
        return VisibleText.Line(text.Length > 0 ? $"{row.Name}: {text}" : row.Name);
    }

    /// <summary>Heading of the runs of a bundle: its file and what names it.</summary>
    public static string BundleHeading(BundledRun row) => VisibleText.Line($"{Path.GetFileName(row?.Bundle)}, {row?.BundleId}");

    /// <summary>Heading of the samples of a run of a bundle.</summary>
    public static string RescoredHeading(RescoredSample row)
    {
        ArgumentNullException.ThrowIfNull(row);
        return VisibleText.Line(FormattableString.Invariant($"{Methods(row.Method, row.DecodeMethod)}, {row.Task} at {row.SequenceLength} tokens, {row.Model}, run {row.RunId}"));
    }

    /// <summary>The sparsities that a claim compares: "0.90", or "0.90 : 0.50" where they differ.</summary>
    public static string ClaimSparsity(SparsityClaim claim)
    {
        ArgumentNullException.ThrowIfNull(claim);
        string first = Fraction(claim.MeasuredSparsity);
        string other = Fraction(claim.OtherMeasuredSparsity);
        return first == other ? first : $"{first} : {other}";
    }

    /// <summary>What a table of effects is of: "Quest on frontier-3m, mean of 3 tasks; tokens needed for a relative error of 0.1 grow as length^0.52 [0.41, 0.63]".</summary>
    public static string EffectHeading(SparsityEffect effect)
    {
        ArgumentNullException.ThrowIfNull(effect);
        string place = effect.By == EffectAxis.Length ? effect.Model : FormattableString.Invariant($"{effect.SequenceLength} tokens");
        string tasks = effect.TaskCount == 1 ? "1 task" : FormattableString.Invariant($"mean of {effect.TaskCount} tasks");
        string growth = effect.Exponent is { } exponent
            ? string.Create(CultureInfo.CurrentCulture, $"; tokens needed for a relative error of {effect.TargetError:G3} grow as length^{exponent:F2} {Interval(effect.ExponentLow, effect.ExponentHigh)}").TrimEnd()
            : "";
        return VisibleText.Line($"{Methods(effect.Method, effect.DecodeMethod)} on {place}, {tasks}{growth}");
    }

    /// <summary>The sparsity of an effect, with "~" before it where a score is interpolated.</summary>
    public static string EffectSparsity(SparsityEffect effect)
    {
        ArgumentNullException.ThrowIfNull(effect);
        return (effect.IsInterpolated ? "~" : "") + Fraction(effect.Sparsity);
    }

    /// <summary>What a table of a scaling law is of: "Quest, Logit form, seen all of 48 runs: R² 0.91, error 0.041, the better form".</summary>
    public static string ScalingHeading(SparsityScaling scaling)
    {
        ArgumentNullException.ThrowIfNull(scaling);
        string seen = scaling.HeldOut == ScalingHoldOut.None
            ? FormattableString.Invariant($"all {Counted.Of(scaling.PointCount, "run")} seen")
            : FormattableString.Invariant($"{HeldOut(scaling)} predicted from {Counted.Of(scaling.PointCount, "other run")}");
        string better = scaling.PredictsBetter switch { true => ", the better form", false => ", the worse form", _ => "" };
        string protocol = scaling.Protocol.Length > 0 ? $" ({scaling.Protocol})" : "";
        return VisibleText.Line(FormattableString.Invariant(
            $"{Methods(scaling.Method, scaling.DecodeMethod)}{protocol}, {scaling.Form} form, {seen}: R² {Score(scaling.AllDetermination)}, error {Score(scaling.AllError)}{better}"));
    }

    private static string HeldOut(SparsityScaling scaling) => scaling.HeldOut switch
    {
        ScalingHoldOut.Length => FormattableString.Invariant($"{scaling.HeldOutValue:F0} tokens"),
        ScalingHoldOut.Size => $"{Amount(scaling.HeldOutValue!.Value)} parameters",
        _ => FormattableString.Invariant($"compression {scaling.HeldOutValue:G3}"),
    };

    /// <summary>A scaling law: "logit(score) = -9.02 [-10.3, -7.75] + 1.10 [1.02, 1.18] ln(parameters) - ...".</summary>
    public static string ScalingLaw(SparsityScaling scaling)
    {
        ArgumentNullException.ThrowIfNull(scaling);
        string left = scaling.Form == ScalingForm.Logit ? "logit(score)" : "score";
        string law = $"{left} = offset {Slope(scaling.Intercept, scaling.InterceptLow, scaling.InterceptHigh)}";
        foreach (var (value, low, high, name) in new[]
        {
            (scaling.SizeSlope, scaling.SizeSlopeLow, scaling.SizeSlopeHigh, "parameters"),
            (scaling.LengthSlope, scaling.LengthSlopeLow, scaling.LengthSlopeHigh, "tokens"),
            (scaling.CompressionSlope, scaling.CompressionSlopeLow, scaling.CompressionSlopeHigh, "compression"),
        })
        {
            law += value is { } slope ? $" {Slope(slope, low, high)} ln({name})" : "";
        }

        return law;

        static string Slope(double value, double? low, double? high) => string.Create(
            CultureInfo.CurrentCulture, $"{(value < 0 ? '-' : '+')} {Math.Abs(value):F2}{(low is null || high is null ? "" : string.Create(CultureInfo.CurrentCulture, $" [{low:F2}, {high:F2}]"))}");
    }

    /// <summary>The offset of a task in a scaling law.</summary>
    public static string ScalingOffset(SparsityScaling scaling)
    {
        ArgumentNullException.ThrowIfNull(scaling);
        return scaling.IsSaturated ? "infinite" : Signed(scaling.Offset);
    }

    /// <summary>What a table of advice is of: "tiny, Niah (Queries=4), 512 output tokens: loss below 0.02 with confidence 0.95", and whatever else is not as usual. Equal only for what was asked in the same way.</summary>
    public static string RecommendationHeading(SparsityRecommendation recommendation)
    {
        ArgumentNullException.ThrowIfNull(recommendation);
        string margin = FormattableString.Invariant($"loss below {recommendation.MaximumDrop:G3}{(recommendation.IsRelative ? " of dense" : "")} with confidence {recommendation.ConfidenceLevel:G3}");
        string parameters = recommendation.TaskParameters.Length > 0 ? $" ({recommendation.TaskParameters.Replace(";", ", ", StringComparison.Ordinal)})" : "";
        string others = recommendation.TaskCount > 1 ? FormattableString.Invariant($" with {Counted.Of(recommendation.TaskCount - 1, "other task")}") : "";
        string words = recommendation.ShortInstructions ? ", short instructions" : "";
        string scoring = recommendation.ReferenceScoring ? ", scored as by the paper's code" : "";
        string protocol = recommendation.CompressBefore != "None" ? $", cache compressed before the {recommendation.CompressBefore.ToLowerInvariant()} is known"
            : recommendation.QuestionPosition != "Both" ? $", question {recommendation.QuestionPosition.ToLowerInvariant()}"
            : "";
        string outputs = recommendation.MaximumOutputTokens is { } most ? FormattableString.Invariant($", {most} output tokens") : "";
        return VisibleText.Line($"{Path.GetFileName(recommendation.Model)}, {recommendation.Task}{parameters}{others}{outputs}{words}{protocol}{scoring}: {margin}");
    }

    /// <summary>The seconds that a plan is expected to take, to two digits; "-" where none are named.</summary>
    public static string PredictedSeconds(SparseAttentionPlan plan)
    {
        ArgumentNullException.ThrowIfNull(plan);
        return plan.PredictedSeconds is { } seconds ? string.Create(CultureInfo.CurrentCulture, $"~{(seconds < 10 ? Math.Round(seconds, 1) : Math.Round(seconds)):0.#}") : "-";
    }

    /// <summary>The speed-up of a recommendation and what it is of: "2.10x attention", or "~2.10x attention" where it is interpolated.</summary>
    public static string RecommendationSpeed(SparsityRecommendation recommendation)
    {
        ArgumentNullException.ThrowIfNull(recommendation);
        return recommendation.SpeedUp is { } factor
            ? VisibleText.Line(string.Create(CultureInfo.CurrentCulture, $"{(recommendation.IsInterpolated ? "~" : "")}{factor:F2}x {recommendation.SpeedUpOf}"))
            : "-";
    }
}
