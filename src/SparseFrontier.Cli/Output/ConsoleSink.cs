using SparseFrontier.Experiments;

namespace SparseFrontier.Cli.Output;

/// <summary>
/// Where verbs send their output: objects to standard output as JSON lines, or kept for the verb's table; the rest to standard error, with
/// progress on one line where that is a terminal.
/// </summary>
internal sealed class ConsoleSink(TextWriter output, TextWriter error, bool json) : IPipelineSink
{
    private const string ClearLine = "\r\u001b[2K";

    private readonly bool _errorIsTerminal = !Console.IsErrorRedirected && !json;
    private readonly bool _color = !Console.IsErrorRedirected && string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR"));
    private readonly ProgressThrottle _throttle = new();
    private readonly SortedDictionary<int, ProgressUpdate> _activities = [];
    private bool _progressShown;

    /// <summary>Standard output.</summary>
    public TextWriter Output => output;

    /// <summary>Standard output for lines that name what files and models say.</summary>
    public TextWriter Visible { get; } = new VisibleWriter(output);

    /// <summary>Whether output is JSON.</summary>
    public bool IsJson => json;

    /// <summary>Whether to show verbose messages.</summary>
    public bool ShowVerbose { get; init; }

    /// <summary>Whether actions are only named, not done.</summary>
    public bool WhatIf { get; set; }

    /// <summary>What was emitted, where output is not JSON.</summary>
    public List<object> Objects { get; } = [];

    /// <summary>Whether an error was reported.</summary>
    public bool HasErrors { get; private set; }

    /// <summary>Calls with what is emitted instead of writing or keeping it, while an intermediate operation runs.</summary>
    public Action<object>? Receiver { get; set; }

    /// <summary>Calls with what is emitted, besides writing or keeping it.</summary>
    public Action<object>? Seen { get; set; }

    public void Object(object value)
    {
        Seen?.Invoke(value);
        if (Receiver is not null)
        {
            Receiver(value);
        }
        else if (json)
        {
            output.WriteLine(Json.Line(value));
            output.Flush();
        }
        else
        {
            Objects.Add(value);
        }
    }

    public void Error(SparseFrontierException exception)
    {
        HasErrors = true;
        WriteError(json
            ? Json.Line(new { errorId = exception.ErrorId, message = exception.Message })
            : $"{Colored("error", 31)} {exception.ErrorId}: {exception.Message}");
    }

    public void Warning(string message) => WriteError($"{Colored("warning", 33)}: {VisibleText.Message(message)}");

    public void Verbose(string message)
    {
        if (ShowVerbose)
        {
            WriteError(VisibleText.Message(message));
        }
    }

    public void Information(string message) => WriteError(VisibleText.Message(message));

    public void Progress(ProgressUpdate update)
    {
        if (!_errorIsTerminal || !_throttle.Admit(update))
        {
            return;
        }

        if (update.Completed)
        {
            _activities.Remove(update.ActivityId);
        }
        else
        {
            _activities[update.ActivityId] = update;
        }

        ClearProgress();
        if (_activities.Count > 0)
        {
            error.Write(Fit(VisibleText.Line(ProgressLine.Of([.. _activities.Values])), Math.Max(20, Console.WindowWidth - 1)));
            _progressShown = true;
        }
    }

    public bool ShowsQuestions => WhatIf;

    public bool ShouldProcess(string target, string action)
    {
        if (WhatIf)
        {
            WriteError($"What if: {VisibleText.Message(action)}: {VisibleText.Line(target)}");
        }

        return !WhatIf;
    }

    /// <summary>Says that the verb's answer is no: exit code 1.</summary>
    public void Fail(string message)
    {
        HasErrors = true;
        WriteError(VisibleText.Message(message));
    }

    /// <summary>Prints the kept objects of a type; nothing where output is JSON or there are none.</summary>
    public void WriteTable<T>(Action<TextWriter, IReadOnlyList<T>> table)
    {
        T[] rows = [.. Objects.OfType<T>()];
        if (rows.Length > 0)
        {
            table(Visible, rows);
        }
    }

    /// <summary>Takes the progress line away.</summary>
    public void ClearProgress()
    {
        if (_progressShown)
        {
            error.Write(ClearLine);
            _progressShown = false;
        }
    }

    private static string Fit(string text, int width) => text.Length <= width ? text : text[..width];

    private void WriteError(string text)
    {
        // Both streams often go to one terminal or log: keep their order.
        output.Flush();
        ClearProgress();
        error.WriteLine(text);
    }

    private string Colored(string word, int color) => _color ? $"\u001b[{color}m{word}\u001b[0m" : word;
}
