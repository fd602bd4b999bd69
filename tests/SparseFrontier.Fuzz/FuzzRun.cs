using System.Diagnostics;
using SparseFrontier.Fuzz.Mutation;
using SparseFrontier.Tensors;

namespace SparseFrontier.Fuzz;

/// <summary>
/// Reads one changed input after the other, and checks each: it is read or refused with a <see cref="SparseFrontierException"/>, soon, without more memory than its size
/// accounts for, and nothing is written outside of the folder that is for it. Inputs that lead to an outcome not seen before become parents of further ones.
/// </summary>
internal sealed class FuzzRun
{
    // What is kept of each file; enough for every outcome that was ever seen.
    private const int CorpusLimit = 2000;
    private const int CheckEvery = 1024;

    private readonly FuzzReader _reader;
    private readonly string _root;
    private readonly string _input;
    private readonly string _output;
    private readonly string _findings;
    private readonly TimeSpan _limit;
    private readonly bool _isAlone;
    private readonly Mutator _mutator;
    private readonly RandomSource _random;
    private readonly List<FuzzInput>[] _read;
    private readonly List<FuzzInput>[] _refused;
    private readonly long[] _sizes;
    private int _changed;
    private readonly HashSet<int> _outcomes = [];
    private long _caseStart;

    /// <summary>Prepares a run.</summary>
    /// <param name="reader">What reads.</param>
    /// <param name="seed">Names the sequence of cases.</param>
    /// <param name="part">Which part of the sequence, where an earlier one ended with the process.</param>
    /// <param name="root">A folder of its own, best in memory. It is several folders deep, so that a path that leads out of it is seen.</param>
    /// <param name="findings">Folder that inputs of findings are kept in.</param>
    /// <param name="limit">Time that a case may take.</param>
    /// <param name="isAlone">Whether nothing else runs in the process, so that native memory can be counted too.</param>
    public FuzzRun(FuzzReader reader, long seed, int part, string root, string findings, TimeSpan limit, bool isAlone)
    {
        _reader = reader;
        _root = root;
        _findings = findings;
        _limit = limit;
        _isAlone = isAlone;
        _input = Path.Combine(root, "a", "b", "c", "input");
        _output = Path.Combine(root, "a", "b", "c", "output");
        _random = new RandomSource($"fuzz/{reader.Name}", seed, part);
        _mutator = new Mutator(_random);
        _read = [.. reader.Files.Select(f => f.Seeds.Select(s => new FuzzInput(s, f.Format)).ToList())];
        _refused = [.. reader.Files.Select(_ => new List<FuzzInput>())];
        _sizes = new long[reader.Files.Count];
        Totals = new FuzzTotals { Reader = reader.Name, Seed = seed };
    }

    /// <summary>What the run came to so far.</summary>
    public FuzzTotals Totals { get; }

    /// <summary>Time since the case that is being read began.</summary>
    public TimeSpan CaseTime => Volatile.Read(ref _caseStart) is > 0 and { } start ? Stopwatch.GetElapsedTime(start) : TimeSpan.Zero;

    /// <summary>Folder of the files that are being read.</summary>
    public string Input => _input;

    /// <summary>Reads a number of changed inputs; the unchanged ones first, which must all be read.</summary>
    /// <param name="cases">Inputs.</param>
    /// <param name="progress">Called now and then.</param>
    public void Run(long cases, Action? progress = null)
    {
        Prepare();
        long start = Stopwatch.GetTimestamp();
        ReadSeeds();
        for (long i = 0; i < cases; i++)
        {
            int file = _random.Next(_reader.Files.Count);
            FuzzFormat format = _reader.Files[file].Format;

            // What was refused leads to what is refused: mostly, what was read is changed.
            List<FuzzInput> parents = _refused[file].Count > 0 && _random.Next(4) == 0 ? _refused[file] : _read[file];
            byte[] content = _mutator.Next(_random.Choose(parents), _read[file], format);
            Change(file, content);
            long refused = Totals.Refused;
            if (Check() is { } outcome && _outcomes.Add(outcome))
            {
                List<FuzzInput> kept = Totals.Refused == refused ? _read[file] : _refused[file];
                if (kept.Count < CorpusLimit)
                {
                    kept.Add(new FuzzInput(content, format));
                }
            }

            Totals.Cases++;
            if (i % CheckEvery == CheckEvery - 1 || i == cases - 1)
            {
                CheckFolders();
                Totals.Seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
                Totals.Outcomes = _outcomes.Count;
                progress?.Invoke();
            }
        }
    }

    private void Prepare()
    {
        Directory.CreateDirectory(_input);
        Directory.CreateDirectory(_output);
        for (int i = 0; i < _reader.Files.Count; i++)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(_input, _reader.Files[i].Path))!);
            Write(i, _reader.Files[i].Seeds[0]);
        }
    }

    private void ReadSeeds()
    {
        // Once without a look at memory: types are loaded and tables are made at the first use.
        for (int round = 0; round < 2; round++)
        {
            for (int i = 0; i < _reader.Files.Count; i++)
            {
                foreach (byte[] seed in _reader.Files[i].Seeds)
                {
                    Write(i, seed);
                    _outcomes.Add(_reader.Read(_input, _output));
                    EmptyOutput();
                }

                Write(i, _reader.Files[i].Seeds[0]);
            }
        }
    }

    // The outcome; null where it is a finding.
    private int? Check()
    {
        long size = _sizes.Sum();
        long before = GC.GetAllocatedBytesForCurrentThread();
        NativeMemoryUse.ResetPeak();
        long live = NativeMemoryUse.Live;
        long start = Stopwatch.GetTimestamp();
        int? outcome = Attempt(out Exception? failure);
        TimeSpan elapsed = Stopwatch.GetElapsedTime(start);
        long allocated = GC.GetAllocatedBytesForCurrentThread() - before + (_isAlone ? NativeMemoryUse.Peak - live : 0);
        double share = allocated / ((double)_reader.BytesPerByte * size + _reader.BytesAtLeast);
        Totals.LargestAllocationShare = Math.Max(Totals.LargestAllocationShare, share);
        if (failure is not null)
        {
            Report("exception", $"{failure.GetType().Name}: {failure.Message}", Place(failure));
            return null;
        }

        if (share > 1)
        {
            Report("allocation", FormattableString.Invariant($"{allocated} bytes for {size}"), outcome.ToString()!);
            return null;
        }

        // A busy machine is no finding: what is slow is slow again, by the processor's time too.
        for (int again = 0; elapsed > _limit && again < 3; again++)
        {
            start = Stopwatch.GetTimestamp();
            TimeSpan used = Environment.CpuUsage.TotalTime;
            Attempt(out _);
            used = Environment.CpuUsage.TotalTime - used;
            TimeSpan repeated = Stopwatch.GetElapsedTime(start);
            elapsed = new[] { elapsed, repeated, used }.Min();
        }

        Totals.SlowestMilliseconds = Math.Max(Totals.SlowestMilliseconds, elapsed.TotalMilliseconds);
        if (elapsed > _limit)
        {
            Report("slow", FormattableString.Invariant($"{elapsed.TotalSeconds:F1} s for {size} bytes"), outcome.ToString()!);
            return null;
        }

        return outcome;
    }

    private int? Attempt(out Exception? failure)
    {
        failure = null;
        Volatile.Write(ref _caseStart, Stopwatch.GetTimestamp());
        try
        {
            return _reader.Read(_input, _output);
        }
        catch (SparseFrontierException e)
        {
            Totals.Refused++;
            return Outcomes.Of(e);
        }
#pragma warning disable CA1031 // Every other exception is a finding, whatever its type.
        catch (Exception e)
#pragma warning restore CA1031
        {
            failure = e;
            return null;
        }
        finally
        {
            Volatile.Write(ref _caseStart, 0);
            if (_reader.Writes)
            {
                EmptyOutput();
            }
        }
    }

    private void Report(string kind, string what, string where)
    {
        if (Totals.Findings.Find(f => f.Kind == kind && f.Where == where) is { } known)
        {
            known.Count++;
            return;
        }

        Totals.Findings.Add(new FuzzFinding(_reader.Name, kind, what, where, Keep(_input, _findings, _reader.Name, kind)));
    }

    /// <summary>Copies the files of a case to where findings are kept, and gives the folder.</summary>
    public static string Keep(string input, string findings, string reader, string kind)
    {
        string folder;
        int number = 0;
        do
        {
            folder = Path.Combine(findings, FormattableString.Invariant($"{reader}-{kind}-{++number}"));
        }
        while (Directory.Exists(folder));
        foreach (string file in Directory.EnumerateFiles(input, "*", SearchOption.AllDirectories))
        {
            string target = Path.Combine(folder, Path.GetRelativePath(input, file));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(file, target);
        }

        return folder;
    }

    // The first places of this project's code that the exception went through.
    private static string Place(Exception exception) => string.Join(
        " < ",
        new StackTrace(exception).GetFrames().Select(f => f.GetMethod()).Where(m => m?.DeclaringType?.Namespace?.StartsWith("SparseFrontier", StringComparison.Ordinal) == true)
            .Select(m => $"{m!.DeclaringType!.Name}.{m.Name}").Take(2).Prepend(exception.GetType().Name));

    // One file differs from its first seed; it is put back when another one is changed.
    private void Change(int file, byte[] content)
    {
        if (file != _changed)
        {
            Write(_changed, _reader.Files[_changed].Seeds[0]);
            _changed = file;
        }

        Write(file, content);
    }

    private void Write(int file, byte[] content)
    {
        File.WriteAllBytes(Path.Combine(_input, _reader.Files[file].Path), content);
        _sizes[file] = content.Length;
    }

    private void EmptyOutput()
    {
        foreach (string entry in Directory.EnumerateFileSystemEntries(_output))
        {
            if (File.Exists(entry))
            {
                File.Delete(entry);
            }
            else
            {
                Directory.Delete(entry, recursive: true);
            }
        }
    }

    private void CheckFolders()
    {
        string[] expected = [.. _reader.Files.Select(f => Path.Combine(_input, f.Path)).Order(StringComparer.Ordinal)];
        EmptyOutput();
        string[] there = [.. Directory.EnumerateFiles(_root, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal)];
        foreach (string file in there.Except(expected))
        {
            Report("escape", file, file);
            File.Delete(file);
        }
    }
}
