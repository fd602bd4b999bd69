using System.Globalization;
using System.Text;
using System.Text.Json;
using SparseFrontier.Experiments;
using SparseFrontier.Reporting.Report.Figures;

namespace SparseFrontier.Reporting.Report;

/// <summary>
/// Writes results as one HTML file that needs nothing beside it: what they say, figures with their tables, what was run. Equal rows give equal bytes, in
/// whatever order they come.
/// </summary>
public sealed class ExportReportOperation
{
    /// <summary>The title where none is given.</summary>
    public const string DefaultTitle = "Sparse attention: what is worth it";

    private static readonly JsonSerializerOptions s_json = new() { Converters = { new System.Text.Json.Serialization.JsonStringEnumConverter() } };

    /// <summary>Rows of results.</summary>
    public required IReadOnlyList<SparseAttentionResult> Results { get; init; }

    /// <summary>Rows of kernel measurements, for the speed-up and the roofline.</summary>
    public IReadOnlyList<KernelMeasurement> KernelMeasurements { get; init; } = [];

    /// <summary>Files of such rows as JSON lines, as <c>kernels measure --json</c> writes them.</summary>
    public IReadOnlyList<string> KernelMeasurementPaths { get; init; } = [];

    /// <summary>The file to write.</summary>
    public required string Path { get; init; }

    /// <summary>Title of the page; empty: the usual one.</summary>
    public string Title { get; init; } = "";

    /// <summary>The mean loss of score that the tolerance accepts, above 0 and below 1.</summary>
    public double MaximumDrop { get; init; } = 0.05;

    /// <summary>Whether to overwrite the file.</summary>
    public bool Force { get; init; }

    /// <summary>Writes the file; emits a <see cref="FileInfo"/> of it, or nothing under -WhatIf.</summary>
    /// <exception cref="SparseFrontierException">DataInsufficient: no rows at all. OutputFileExists. ParameterInvalid. FileNotFound, ResultUnreadable or ResultRowInvalid: a file of measurements. ResultWriteFailed.</exception>
    public void Execute(IPipelineSink sink, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(sink);
        if (MaximumDrop is not (> 0 and < 1))
        {
            throw new SparseFrontierException(
                ErrorIds.ParameterInvalid, FormattableString.Invariant($"A loss of {MaximumDrop} is not above 0 and below 1: it is a part of the score, 0.05 for five points of a hundred."), MaximumDrop);
        }

        if (System.IO.Path.GetExtension(Path).ToUpperInvariant() is not (".HTML" or ".HTM"))
        {
            throw new SparseFrontierException(
                ErrorIds.ParameterInvalid, $"A report is a page of HTML, and '{Path}' is not named as one. Name a file .html; rows go to JSON and CSV by ConvertTo-Json, Export-Csv or --json.", Path);
        }

        KernelMeasurement[] kernels = [.. KernelMeasurements, .. KernelMeasurementPaths.SelectMany(ReadMeasurements)];
        if (Results.Count == 0 && kernels.Length == 0)
        {
            throw new SparseFrontierException(ErrorIds.DataInsufficient, "There are no results to report: give rows of finished runs, or folders that hold some.", Path);
        }

        string path = System.IO.Path.GetFullPath(Path);
        if (File.Exists(path) && !Force)
        {
            throw new SparseFrontierException(ErrorIds.OutputFileExists, $"'{path}' exists already. Overwrite it with -Force (--force), or choose another file.", path);
        }

        if (!sink.ShouldProcess(path, string.Create(CultureInfo.InvariantCulture, $"Write a report of {Counted.Of(Results.Count, "run")}")))
        {
            return;
        }

        byte[] page = Encoding.UTF8.GetBytes(Render(kernels, cancellationToken));
        StoreIO.WriteOutput(path, page);
        sink.Object(new FileInfo(path));
    }

    private string Render(IReadOnlyList<KernelMeasurement> kernels, CancellationToken cancellationToken)
    {
        // Cells are written as elsewhere, in the current culture: here that is nobody's.
        CultureInfo before = CultureInfo.CurrentCulture;
        CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
        try
        {
            ReportData data = ReportData.Of(Results, kernels, MaximumDrop, cancellationToken);
            cancellationToken.ThrowIfCancellationRequested();
            return ReportPage.Write(
                Title.Length > 0 ? Title : DefaultTitle,
                data,
                [FrontierFigure.Create(data), ToleranceFigure.Create(data), LengthFigure.Create(data), SpeedUpFigure.Create(data), RooflineFigure.Create(data), HeatMapFigure.Create(data)]);
        }
        finally
        {
            CultureInfo.CurrentCulture = before;
        }
    }

    private static IEnumerable<KernelMeasurement> ReadMeasurements(string path)
    {
        byte[] bytes = StoreIO.ReadAll(path) ?? throw new SparseFrontierException(ErrorIds.FileNotFound, $"There is no file of kernel measurements '{path}'.", path);
        int number = 0;
        foreach (string line in PlainFile.Lines(bytes))
        {
            number++;
            if (!string.IsNullOrWhiteSpace(line))
            {
                yield return Parse(line, path, number);
            }
        }
    }

    private static KernelMeasurement Parse(string line, string path, int number)
    {
        try
        {
            KernelMeasurement? row = JsonSerializer.Deserialize<KernelMeasurement>(line, s_json);
            return row is { Method.Length: > 0, Phase.Length: > 0 } ? row : throw new JsonException("it names no method and phase.");
        }
        catch (JsonException e)
        {
            throw new SparseFrontierException(
                ErrorIds.ResultRowInvalid,
                string.Create(CultureInfo.InvariantCulture, $"Line {number} of '{path}' is no kernel measurement: {e.Message} Write such files with `sparsefrontier kernels measure --json`."),
                path,
                e);
        }
    }
}
