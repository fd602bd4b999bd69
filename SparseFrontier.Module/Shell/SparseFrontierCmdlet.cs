using System.Management.Automation;
using SparseFrontier.Experiments;

namespace SparseFrontier.Shell;

/// <summary>
/// What all cmdlets share: operations run off the pipeline thread and are stopped with it, engine errors become error records, and
/// PowerShell paths become file-system paths.
/// </summary>
public abstract class SparseFrontierCmdlet : PSCmdlet, IDisposable
{
    private readonly CancellationTokenSource _cancellation = new();
    private bool _disposed;

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Called by PowerShell on another thread on Ctrl-C or when the pipeline is stopped.</summary>
    protected override void StopProcessing()
    {
        try
        {
            _cancellation.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // The stop came just after the end.
        }
    }

    /// <summary>Runs an operation: its output, errors and progress go to this cmdlet's streams as they come.</summary>
    /// <param name="prepare">Gives the operation, on the pipeline thread; its errors are reported like the operation's own.</param>
    /// <param name="receiver">Takes the output instead of the pipeline.</param>
    private protected void Run(Func<Action<IPipelineSink, CancellationToken>> prepare, Action<object>? receiver = null)
    {
        var sink = new CmdletSink(this, receiver);
        try
        {
            OperationPump.Run(prepare(), sink, _cancellation);
            sink.CompleteProgress();
        }
        catch (OperationCanceledException) when (_cancellation.IsCancellationRequested)
        {
            // Stopping is not an error: PowerShell ends the pipeline by itself.
            throw new PipelineStoppedException();
        }
        catch (OutOfMemoryException e)
        {
            sink.CompleteProgress();
            WriteError(ErrorMap.ToRecord(SparseFrontierException.OfMemory(e)));
        }
        catch (SparseFrontierException e)
        {
            sink.CompleteProgress();
            ErrorRecord record = ErrorMap.ToRecord(e);
            if (ErrorMap.IsTerminating(e.ErrorId))
            {
                ThrowTerminatingError(record);
            }

            WriteError(record);
        }
    }

    /// <summary>File-system paths of existing items; what cannot be resolved is reported and left out.</summary>
    /// <param name="paths">PowerShell paths.</param>
    /// <param name="literal">Whether wildcard characters stand for themselves.</param>
    private protected IReadOnlyList<string> ResolveInput(IEnumerable<string> paths, bool literal)
    {
        var resolved = new List<string>();
        foreach (string path in paths)
        {
            try
            {
                if (literal)
                {
                    resolved.Add(ResolveOutput(path));
                }
                else
                {
                    System.Collections.ObjectModel.Collection<string> found = SessionState.Path.GetResolvedProviderPathFromPSPath(path, out ProviderInfo provider);
                    RequireFileSystem(provider, path);
                    resolved.AddRange(found);
                    if (found.Count == 0 && InvokeProvider.Item.Exists(path, force: false, literalPath: true))
                    {
                        // A name with brackets, as -ResultPath takes it.
                        resolved.Add(ResolveOutput(path));
                    }
                }
            }
            catch (ItemNotFoundException e)
            {
                WriteError(ErrorMap.ToRecord(new SparseFrontierException(ErrorIds.FileNotFound, $"'{path}' does not exist.", path, e)));
            }
            catch (SparseFrontierException e)
            {
                WriteError(ErrorMap.ToRecord(e));
            }
        }

        return resolved;
    }

    /// <summary>The file-system path of something that need not exist yet.</summary>
    /// <exception cref="SparseFrontierException">PathNotFileSystem.</exception>
    private protected string ResolveOutput(string path)
    {
        string resolved = SessionState.Path.GetUnresolvedProviderPathFromPSPath(path, out ProviderInfo provider, out _);
        RequireFileSystem(provider, path);
        return resolved.Contains('\0', StringComparison.Ordinal)
            ? throw new SparseFrontierException(ErrorIds.PathNotFileSystem, $"'{path.Replace('\0', '?')}' is no path: it holds a null character.", path)
            : resolved;
    }

    /// <summary>The folder of results that was asked for, or where they are when none was.</summary>
    /// <exception cref="SparseFrontierException">PathNotFileSystem.</exception>
    private protected string ResultFolder(string? path) => string.IsNullOrEmpty(path) ? DefaultResultPath() : ResolveOutput(path);

    /// <summary>Where results are when no path is given: empty leaves it to the environment variable, else "results" in PowerShell's location.</summary>
    private protected string DefaultResultPath() =>
        string.IsNullOrEmpty(Environment.GetEnvironmentVariable("SPARSEFRONTIER_RESULTS")) ? ResolveOutput("results") : "";

    /// <summary>What an operation takes as a model: file-system paths where the text is a path that exists, else the text, a model's name.</summary>
    private protected IEnumerable<string> ResolveModel(string model)
    {
        try
        {
            return model.Length > 0 && InvokeProvider.Item.Exists(model) ? ResolveInput([model], literal: false) : [model];
        }
        catch (Exception e) when (e is ProviderInvocationException or ArgumentException or IOException)
        {
            // No path at all, by its characters or its length.
            return [model];
        }
    }

    /// <summary>Emits a file as Get-Item does, with the properties that PowerShell's own view shows.</summary>
    private protected void WriteFile(object file) => WriteObject(InvokeProvider.Item.Get([((FileInfo)file).FullName], force: true, literalPath: true), enumerateCollection: true);

    /// <summary>Values of a parameter that binds by property name: an empty cell of a table is nothing given; PowerShell makes null of an empty array that a transformation returns.</summary>
    private protected static string[] Given(string[]? values) => [.. (values ?? []).Where(v => !string.IsNullOrEmpty(v))];

    /// <summary>Frees what the cmdlet holds.</summary>
    /// <param name="disposing">Whether managed objects may be touched.</param>
    protected virtual void Dispose(bool disposing)
    {
        if (disposing && !_disposed)
        {
            _disposed = true;
            _cancellation.Dispose();
        }
    }

    private static void RequireFileSystem(ProviderInfo provider, string path)
    {
        if (provider.Name != "FileSystem")
        {
            throw new SparseFrontierException(
                ErrorIds.PathNotFileSystem, $"'{path}' is a path of the provider {provider.Name}; a path of the file system is needed.", path);
        }
    }
}
