using System.Globalization;
using SparseFrontier.Cli.Output;
using SparseFrontier.Experiments;
using SparseFrontier.Reporting;
using Xunit;

namespace SparseFrontier.ContractTests;

/// <summary>What the command line prints.</summary>
public class OutputTests
{
    [Fact]
    public void Tables_align_and_break_their_last_column()
    {
        using var writer = new StringWriter { NewLine = "\n" };
        TextTable.Write(
            writer,
            new[] { ("a", 1, string.Join(' ', Enumerable.Repeat("word", 40))), ("longer", 100, "") },
            new("Name", r => r.Item1),
            new("n", r => r.Item2.ToString(CultureInfo.InvariantCulture), Right: true),
            new("Text", r => r.Item3));
        string[] lines = writer.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.StartsWith("Name      n  Text", lines[0], StringComparison.Ordinal);
        Assert.StartsWith("a         1  word word", lines[2], StringComparison.Ordinal);
        Assert.StartsWith("             word", lines[3], StringComparison.Ordinal);
        Assert.Equal("longer  100", lines[^1]);
        Assert.All(lines, l => Assert.InRange(l.Length, 1, 100));
        Assert.Equal(40, lines.Sum(l => l.Split(' ').Count(w => w == "word")));
    }

    [Fact]
    public void Long_words_are_broken_too() => Assert.Equal(["abcd", "efgh", "i"], CellText.Lines("abcdefghi", 4));

    [Theory]
    [InlineData("as many keys as cover a share", 12, "as many keys\nas cover a\nshare")]
    [InlineData("a\u001b[31m b", 13, "a\\u001B[31m b")]
    [InlineData("no room for lines", 7, "no room for lines")]
    [InlineData(null, 30, "")]
    public void A_last_column_is_broken_between_words(string? text, int width, string expected) => Assert.Equal(expected, CellText.Words(text, width));

    [Theory]
    [InlineData("a heading of some words", 13, "a heading of\n   some words")]
    [InlineData("two lines\n   of it", 40, "two lines\n   of it")]
    [InlineData("no room for lines", 7, "no room for lines")]
    public void A_heading_is_broken_between_words(string text, int width, string expected) => Assert.Equal(expected, CellText.Heading(text, width));

    [Fact]
    public void Advice_on_what_was_asked_in_another_way_has_a_heading_of_its_own()
    {
        var usual = new SparsityRecommendation { Model = "tiny", Task = "CommonWords", SequenceLength = 4096, TaskParameters = "CommonFrequency=10;RareFrequency=1" };
        SparsityRecommendation[] others =
        [
            usual with { TaskParameters = "CommonFrequency=30;RareFrequency=3" },
            usual with { QuestionPosition = "Last" },
            usual with { CompressBefore = "Question" },
            usual with { ShortInstructions = true },
            usual with { ReferenceScoring = true },
            usual with { MaximumOutputTokens = 512 },
        ];
        Assert.Equal(others.Length + 1, others.Append(usual).Select(CellText.RecommendationHeading).Distinct().Count());
        Assert.StartsWith("tiny, CommonWords (CommonFrequency=10, RareFrequency=1) with 2 other tasks", CellText.RecommendationHeading(usual with { TaskCount = 3 }), StringComparison.Ordinal);

        using var writer = new StringWriter { NewLine = "\n" };
        Tables.Recommendations(writer, [usual, others[0]]);
        Assert.All(writer.ToString().Split('\n'), l => Assert.InRange(l.Length, 0, 100));
        Assert.Equal(2, writer.ToString().Split("Bounds").Length - 1);
    }

    // Values to read are in the reader's culture, all of a line; values to work with are in none.
    [Fact]
    public void One_line_has_one_culture()
    {
        CultureInfo before = CultureInfo.CurrentCulture;
        var comma = (CultureInfo)CultureInfo.InvariantCulture.Clone();
        comma.NumberFormat.NumberDecimalSeparator = ",";
        try
        {
            CultureInfo.CurrentCulture = comma;
            Assert.EndsWith(
                "error of 0,1 grow as length^0,52 [0,41, 0,63]",
                CellText.EffectHeading(new SparsityEffect { Method = "Dense", DecodeMethod = "Quest", TaskCount = 3, TargetError = 0.1, Exponent = 0.52, ExponentLow = 0.41, ExponentHigh = 0.63 }),
                StringComparison.Ordinal);
            Assert.EndsWith(": 0.33", new SparsityRecommendation { ToleratedSparsity = 0.33 }.ToString(), StringComparison.Ordinal);
            Assert.EndsWith(": 0.33", new SparsityTolerance { ToleratedSparsity = 0.33 }.ToString(), StringComparison.Ordinal);
        }
        finally
        {
            CultureInfo.CurrentCulture = before;
        }
    }

    [Theory]
    [InlineData(0.25, 0.75, 0, RunStatus.Completed, "[0.25, 0.75]")]
    [InlineData(0.25, 0.75, 0, RunStatus.Partial, "[0.25, 0.75]")]
    [InlineData(0.25, 0.75, 3, RunStatus.Completed, "dense 3/20")]
    [InlineData(null, null, 0, RunStatus.Infeasible, "Infeasible")]
    [InlineData(null, null, 0, RunStatus.Completed, "")]
    public void A_score_that_is_not_its_method_s_has_no_interval(double? low, double? high, int fallbacks, RunStatus status, string expected) =>
        Assert.Equal(expected, CellText.RunInterval(low, high, fallbacks, 20, status));

    [Theory]
    [InlineData(692_000.0, null, "692 TFLOP/s")]
    [InlineData(183.5, null, "184 GFLOP/s")]
    [InlineData(0.05, null, "50.0 MFLOP/s")]
    [InlineData(null, 3210.0, "3.21 TB/s")]
    [InlineData(null, null, "-")]
    public void Measurements_of_kernels_show_what_is_executed_or_read_in_a_second(double? operations, double? bytes, string expected)
    {
        using var writer = new StringWriter { NewLine = "\n" };
        Tables.KernelMeasurements(writer, [new() { Method = "Dense", RoofShare = 0.5, GigaOperationsPerSecond = operations, GigaBytesPerSecond = bytes }]);
        Assert.Matches(@"  Ideal +Rate +Roof ", writer.ToString());
        Assert.Matches($@"Dense .* {expected}  0\.50 ", writer.ToString());
    }

    [Fact]
    public void Runs_and_samples_that_ran_dense_are_marked()
    {
        using var writer = new StringWriter { NewLine = "\n" };
        SparseAttentionResult row = new() { Method = "Quest", Score = 1, ScoreLow = 0.5, ScoreHigh = 1, SampleCount = 20, FallbackCount = 3 };
        Tables.Results(writer, [row, new() { Method = "Dense", Score = 1, ScoreLow = 0.5, ScoreHigh = 1, SampleCount = 20 }]);
        Assert.Matches(@"Quest .* 1\.000  dense 3/20 +20 ", writer.ToString());
        Assert.Matches(@"Dense .* 1\.000  \[0\.50, 1\.00\] +20 ", writer.ToString());
        Assert.Contains("\n  dense k/n: k of n samples ran dense", writer.ToString(), StringComparison.Ordinal);
        Assert.Equal("Completed, 3 of 20 samples ran dense", CellText.RunState(row));
        Assert.Equal("ran dense, no answer", CellText.SampleFailure(true, "no answer"));
        Assert.Equal("", CellText.SampleFailure(false, null));
    }

    [Theory]
    [InlineData("Dense", "Dense", "Dense")]
    [InlineData("Quest", "", "Quest")]
    [InlineData("Dense", "Quest", "Quest")]
    [InlineData("VerticalSlash", "Dense", "VerticalSlash")]
    [InlineData("VerticalSlash", "Quest", "VerticalSlash + Quest")]
    public void Methods_of_a_run_have_one_name(string prefill, string decode, string expected) => Assert.Equal(expected, CellText.Methods(prefill, decode));

    [Theory]
    [InlineData(0.9, null, "0.90")]
    [InlineData(null, 0.5, "0.50")]
    [InlineData(0.8, 0.9, "0.80 / 0.90")]
    [InlineData(null, null, "-")]
    public void What_was_asked_is_shown(double? sparsity, double? decode, string expected) => Assert.Equal(expected, CellText.Requested(sparsity, decode));

    [Theory]
    [InlineData(512.0, "512 B")]
    [InlineData(1536.0, "1.50 KiB")]
    [InlineData(1.5e9, "1.40 GiB")]
    [InlineData(null, "-")]
    public void Bytes_have_units(double? bytes, string expected) => Assert.Equal(expected, CellText.Bytes(bytes));

    [Theory]
    [InlineData(5_123_456.0, "5.1M")]
    [InlineData(7.6e9, "7.6B")]
    [InlineData(12.0, "12")]
    public void Counts_have_units(double count, string expected) => Assert.Equal(expected, CellText.Count(count));

    [Fact]
    public void Json_lines_carry_names_of_enums_and_odd_numbers()
    {
        string line = Json.Line(new SparseAttentionResult { Status = RunStatus.Partial, Score = double.NaN, Task = "ü" });
        Assert.DoesNotContain('\n', line);
        Assert.Contains("\"Status\":\"Partial\"", line, StringComparison.Ordinal);
        Assert.Contains("\"Score\":\"NaN\"", line, StringComparison.Ordinal);
        Assert.Contains("\"Task\":\"ü\"", line, StringComparison.Ordinal);
    }

    [Fact]
    public void Progress_is_one_line() => Assert.Equal(
        "[ 42 %] Sweep: 3 of 12 | Run: Quest, 1 min 05 s left",
        ProgressLine.Of([new ProgressUpdate(1, "Sweep", "3 of 12", 42, 64.5), new ProgressUpdate(2, "Run", "Quest", -1)]));

    [Fact]
    public void Errors_go_to_the_error_stream_and_fail_the_verb()
    {
        using var output = new StringWriter();
        using var error = new StringWriter { NewLine = "\n" };
        var sink = new ConsoleSink(output, error, json: true);
        Assert.False(sink.HasErrors);
        sink.Error(new SparseFrontierException(ErrorIds.TaskNotFound, "none"));
        Assert.True(sink.HasErrors);
        Assert.Equal("", output.ToString());
        Assert.Equal("{\"errorId\":\"TaskNotFound\",\"message\":\"none\"}\n", error.ToString());
    }

    [Fact]
    public void What_if_answers_no()
    {
        using var error = new StringWriter { NewLine = "\n" };
        var sink = new ConsoleSink(TextWriter.Null, error, json: false) { WhatIf = true };
        Assert.False(sink.ShouldProcess("target", "act"));
        Assert.Equal("What if: act: target\n", error.ToString());

        // A script has lines; a target is a name.
        Assert.False(sink.ShouldProcess("tar\nget\u001b[2J", "act\n#!/bin/sh\u001b[2J"));
        Assert.EndsWith("What if: act\n#!/bin/sh\\u001B[2J: tar\\u000Aget\\u001B[2J\n", error.ToString(), StringComparison.Ordinal);
    }
}
