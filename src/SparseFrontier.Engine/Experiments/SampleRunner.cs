using System.Diagnostics;
using System.Globalization;
using SparseFrontier.Attention;
using SparseFrontier.Kernels.Measurement;
using SparseFrontier.Models.Transformer;
using SparseFrontier.Tasks;
using SparseFrontier.Tensors;

namespace SparseFrontier.Experiments;

/// <summary>One run's share of a sample: its methods with the budgets that the sample's length asks for.</summary>
/// <param name="Run">The run.</param>
/// <param name="RunId">Its id.</param>
/// <param name="Prefill">Parameters of the prefill method; null where it falls back to dense.</param>
/// <param name="Decode">Parameters of the decode method; null where it falls back to dense.</param>
internal sealed record SampleJob(PlannedRun Run, string RunId, MethodParameters? Prefill, MethodParameters? Decode)
{
    /// <summary>The prefill that is executed; null for dense.</summary>
    public PrefillMethod? PrefillMethod => Prefill is null || Run.Prefill.BudgetParameter is null ? null : Run.Prefill;

    /// <summary>Names the prefill that the job shares with equal ones; empty for dense.</summary>
    public string PrefillKey => PrefillMethod is null ? "" : $"{Run.Prefill.Name};{Prefill}";
}

/// <summary>The dense run of a cell, as far as a sample needs it.</summary>
/// <param name="Exists">Whether there is one to compare with.</param>
/// <param name="OutputTokens">Its output for the sample; null if it is among the jobs, or if another process computes it: it is then generated here too, without a row.</param>
internal sealed record DenseReference(bool Exists, int[]? OutputTokens);

/// <summary>
/// Runs samples under several configurations: one prefill for all that agree on it, decode side by side, then the gold answer teacher-forced through each
/// configuration's decode path and compared with the dense one's. Where a sample's configurations leave places of a batch free, the next samples take them. What a
/// configuration yields depends neither on the others nor on other samples.
/// </summary>
/// <param name="engine">The model.</param>
/// <param name="batchSize">Sequences generated side by side at most.</param>
/// <param name="cancellationToken">Stops between steps and layers.</param>
/// <param name="device">Where the model is, for the rows; null: as the run says.</param>
internal sealed class SampleRunner(SampleEngine engine, int batchSize, CancellationToken cancellationToken, string? device = null) : IDisposable
{
    private static readonly DecodeConfiguration s_dense = new(MethodLookup.Decode("Dense")!, MethodLookup.Decode("Dense")!.CreateParameters());

    private readonly int _vocabulary = engine.Configuration.VocabularySize;
    private readonly List<OpenSample> _open = [];
    private readonly Queue<Lane> _waiting = [];
    private readonly List<Lane> _active = [];
    private float[] _logits = [];
    private long _idleBytes;

    /// <summary>What counts the device's energy; null where nothing does.</summary>
    public EnergyCounter? Energy { get; init; }

    /// <summary>Runs a sample to its end, and those before it.</summary>
    /// <param name="sample">The sample.</param>
    /// <param name="jobs">Configurations of one cell, the dense one first if it is among them.</param>
    /// <param name="dense">What to compare with.</param>
    /// <param name="completed">Told each job's row as it is done.</param>
    public void Run(TaskSample sample, IReadOnlyList<SampleJob> jobs, DenseReference dense, Action<SampleJob, SampleResult> completed)
    {
        Add(sample, jobs, dense, completed);
        Drain();
    }

    /// <summary>
    /// Takes a sample and returns as soon as all its prompts are read, so that the next may take what is free of a batch. Rows come during this or a later call, those
    /// of earlier samples before those of later ones. If it ends by an exception, everything under way is given up.
    /// </summary>
    /// <param name="sample">The sample.</param>
    /// <param name="jobs">Configurations of one cell, the dense one first if it is among them.</param>
    /// <param name="dense">What to compare with.</param>
    /// <param name="completed">Told each job's row as it is done.</param>
    public void Add(TaskSample sample, IReadOnlyList<SampleJob> jobs, DenseReference dense, Action<SampleJob, SampleResult> completed)
    {
        PlannedRun any = jobs[0].Run;
        var prompt = SamplePrompt.Create(sample, any.CompressesBeforeQuestion, engine.Encoder);
        int[] gold = SamplePrompt.Target(sample, engine, any.YarnFactor);
        long seed = SamplePrompt.Seed(any.Specification.Seed, sample.Index);

        // The dense prefill comes first, because it also carries the sequence that the others are compared with.
        var groups = jobs.GroupBy(j => j.PrefillKey).Select(g => g.ToList()).OrderBy(g => g[0].PrefillKey.Length > 0).ToList();
        if (dense.Exists && groups[0][0].PrefillKey.Length > 0)
        {
            groups.Insert(0, []);
        }

        ModelConfiguration c = engine.Configuration;
        long bytes = 2L * engine.CacheElementBytes * c.LayerCount * c.KvHeads * c.HeadDimension * prompt.Prefill.Length * Math.Min(groups.Count, batchSize);
        var own = new OpenSample(sample, prompt, gold, completed, bytes, jobs.Count) { DenseOutput = dense.OutputTokens };
        bool generatesDense = dense is { Exists: true, OutputTokens: null } && !jobs.Any(j => j.Run.IsDense);
        GiveUpOnFailure(() =>
        {
            while (_open.Count > 0 && _open.Sum(s => s.CacheBytes) is var held && held + bytes > engine.CacheRoom(held))
            {
                Advance();
            }

            if (_open.Count == 0)
            {
                _idleBytes = engine.UsedBytes;
            }

            _open.Add(own);
            foreach (List<SampleJob> group in groups)
            {
                while (_waiting.Count + _active.Count >= batchSize)
                {
                    Advance();
                }

                bool withReference = dense.Exists && own.Reference is null;
                List<Lane> lanes = Start(own, group, any, seed, withReference ? generatesDense ? 2 : 1 : 0);
                if (withReference)
                {
                    own.Reference = lanes[^1];
                    lanes.RemoveAt(lanes.Count - 1);
                }

                lanes.ForEach(_waiting.Enqueue);
            }
        });
    }

    /// <summary>Runs all samples taken to their ends. If it ends by an exception, everything under way is given up.</summary>
    public void Drain() => GiveUpOnFailure(() =>
    {
        while (_open.Count > 0)
        {
            Advance();
        }
    });

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (OpenSample sample in _open)
        {
            sample.Ended.ForEach(l => l.Dispose());
            sample.Reference?.Dispose();
        }

        _active.ForEach(l => l.Dispose());
        foreach (Lane lane in _waiting)
        {
            lane.Dispose();
        }

        _open.Clear();
        _active.Clear();
        _waiting.Clear();
    }

    private void GiveUpOnFailure(Action work)
    {
        try
        {
            work();
        }
        catch (OutOfMemoryException e)
        {
            OpenSample[] samples = [.. _open];
            Dispose();
            throw HostMemory.Exhausted(
                FormattableString.Invariant($"{string.Join(" and ", samples.Select(s => FormattableString.Invariant($"the {s.Prompt.Prefill.Length + s.Prompt.Question.Length} prompt tokens of sample {s.Sample.Index}")))}, and what is generated after them, need more than there is."),
                "Lower the batch, use shorter prompts, a smaller model, or decode methods that evict (SnapKV, AdaSnapKV).",
                samples.FirstOrDefault()?.Sample.Index,
                e);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>One greedy step of as many lanes as a batch holds, and what ends with it.</summary>
    private void Advance()
    {
        while (_active.Count < batchSize && _waiting.TryPeek(out Lane? lane))
        {
            // Where no logit is a number, the lane is given up with those that wait.
            int token = LogitMath.ArgMax(lane.LastLogits);
            Take(_waiting.Dequeue(), token);
        }

        if (_active.Count > 0)
        {
            Lane[] lanes = [.. _active];
            double? before = Energy?.ReadJoules();
            var stopwatch = Stopwatch.StartNew();
            int[] chosen = new int[lanes.Length];
            engine.Choose(Array.ConvertAll(lanes, l => new EngineRow(l.Sequence, l.Output[^1])), chosen, cancellationToken);
            double seconds = stopwatch.Elapsed.TotalSeconds;
            double? joules = (Energy?.ReadJoules() - before) / lanes.Length;
            _active.Clear();
            for (int i = 0; i < lanes.Length; i++)
            {
                lanes[i].AddStep(seconds, lanes.Length);
                lanes[i].Joules += joules;
                Take(lanes[i], chosen[i]);
            }
        }

        bool full = _open.Sum(s => s.Ended.Count) >= batchSize;
        foreach (OpenSample sample in _open)
        {
            if (sample.Ended.Count > 0 && (full || sample.Ended.Count == sample.Left))
            {
                Force(sample.Ended, sample.Reference, sample.Gold, sample.Prompt.Question.Length);
                sample.Ended.ForEach(l => l.Dispose());
                sample.Forced.AddRange(sample.Ended);
                sample.Left -= sample.Ended.Count;
                sample.Ended.Clear();
            }
        }

        Tell();

        void Take(Lane lane, int token)
        {
            if (!engine.Configuration.StopTokens.Contains(token))
            {
                lane.Output.Add(token);
                if (lane.Output.Count < lane.MaximumOutputTokens)
                {
                    _active.Add(lane);
                    return;
                }
            }

            if (lane.Job is null or { Run.IsDense: true })
            {
                lane.Sample.DenseOutput ??= [.. lane.Output];
            }

            if (lane.Job is null)
            {
                lane.Dispose();
                return;
            }

            lane.Statistics = lane.Sequence.Statistics;
            lane.Sample.Ended.Add(lane);
        }
    }

    /// <summary>Rows of the earliest samples, as far as they are done.</summary>
    private void Tell()
    {
        while (_open.Count > 0)
        {
            OpenSample sample = _open[0];
            if (sample.Reference is not null && sample.DenseOutput is null)
            {
                // The dense output, which rows are compared with, is under way.
                return;
            }

            Lane[] done = [.. sample.Forced];
            sample.Forced.Clear();
            foreach ((Lane lane, SampleResult row) in done.Zip(Results(sample, done)))
            {
                sample.Completed(lane.Job!, row);
            }

            if (sample.Left > 0)
            {
                return;
            }

            sample.Reference?.Dispose();
            _open.RemoveAt(0);
        }
    }

    /// <summary>Reads the prompt once and starts a lane for each job and, last, <paramref name="references"/> dense ones without a job.</summary>
    private List<Lane> Start(OpenSample sample, List<SampleJob> group, PlannedRun any, long seed, int references)
    {
        SamplePrompt prompt = sample.Prompt;
        var configurations = new List<DecodeConfiguration>();
        var places = new Dictionary<string, int>();
        int[] place = [.. group.Select(j => Place(DecodeOf(j)))];
        int referencePlace = references > 0 ? Place(s_dense) : -1;
        engine.ResetMostUsedBytes();
        long heldBytes = engine.UsedBytes;
        double? before = Energy?.ReadJoules();
        var stopwatch = Stopwatch.StartNew();
        EnginePrompt state = engine.Prefill(
            prompt.Prefill,
            new PrefillRequest
            {
                Method = group.Count > 0 ? group[0].PrefillMethod : null,
                Parameters = group.Count > 0 && group[0].PrefillMethod is not null ? group[0].Prefill : null,
                DecodeConfigurations = configurations,
                MaximumOutputTokens = prompt.Question.Length + any.Specification.MaximumOutputTokens,
                Seed = seed,
                YarnFactor = any.YarnFactor,
            },
            cancellationToken);
        double? joules = Energy?.ReadJoules() - before;
        double seconds = stopwatch.Elapsed.TotalSeconds;
        var shared = new SharedPrompt(state, isShared: group.Count > 1, owners: group.Count + references);
        var lanes = new List<Lane>();
        try
        {
            lanes.AddRange(group.Select((job, i) => new Lane(sample, job, shared, state.StartSequence(place[i]), any.Specification.MaximumOutputTokens)));
            lanes.AddRange(Enumerable.Range(0, references).Select(_ => new Lane(sample, null, shared, state.StartSequence(referencePlace), any.Specification.MaximumOutputTokens)));

            // Without what other prompts under way hold, which is there before and after.
            shared.PeakBytes = _idleBytes + engine.MostUsedBytes - heldBytes;

            // A lane's part of the energy is that of the time: the prefill and its own eviction.
            foreach (Lane lane in lanes)
            {
                lane.Joules = joules * Math.Min(1, lane.PrefillSeconds / seconds);
            }

            foreach (Lane[] some in lanes.Chunk(batchSize))
            {
                Read([.. some], prompt.Question);
            }

            return lanes;
        }
        catch
        {
            lanes.ForEach(l => l.Dispose());
            shared.Close();
            throw;
        }

        int Place(DecodeConfiguration configuration)
        {
            string key = $"{configuration.Method.Name};{configuration.Parameters}";
            if (!places.TryGetValue(key, out int index))
            {
                places[key] = index = configurations.Count;
                configurations.Add(configuration);
            }

            return index;
        }
    }

    private static DecodeConfiguration DecodeOf(SampleJob job) =>
        job.Decode is null || job.Run.Decode.BudgetParameter is null ? s_dense : new DecodeConfiguration(job.Run.Decode, job.Decode);

    /// <summary>Feeds the part of the prompt that comes after the compression to as many sequences as may step together.</summary>
    private void Read(List<Lane> lanes, int[] tokens)
    {
        if (tokens.Length == 0)
        {
            return;
        }

        double? before = Energy?.ReadJoules();
        var stopwatch = Stopwatch.StartNew();
        int block = Math.Max(1, engine.RowsAtOnce / lanes.Count);
        for (int start = 0; start < tokens.Length - 1; start += block)
        {
            ReadOnlySpan<int> part = tokens.AsSpan(start, Math.Min(block, tokens.Length - 1 - start));
            Step(lanes, part, wantLogits: false);
        }

        Step(lanes, tokens.AsSpan(tokens.Length - 1), wantLogits: true);
        double? joules = (Energy?.ReadJoules() - before) / lanes.Count;
        double seconds = stopwatch.Elapsed.TotalSeconds;
        for (int i = 0; i < lanes.Count; i++)
        {
            lanes[i].LastLogits = _logits.AsSpan(i * _vocabulary, _vocabulary).ToArray();
            lanes[i].AddStep(seconds, lanes.Count);
            lanes[i].Joules += joules;
        }
    }

    /// <summary>Teacher-forces the gold answer through each lane, and through the reference beside them.</summary>
    private void Force(List<Lane> lanes, Lane? reference, int[] gold, int questionLength)
    {
        if (gold.Length == 0)
        {
            return;
        }

        WorkerPool.For(
            lanes.Count,
            i =>
            {
                lanes[i].GoldLogLikelihood = LogitMath.LogProbability(lanes[i].LastLogits, gold[0]);
                lanes[i].Divergence = reference is null ? 0 : LogitMath.Divergence(reference.LastLogits, lanes[i].LastLogits);
            },
            cancellationToken);

        int together = engine.RowsAtOnce - (reference is null ? 0 : 1);
        foreach (Lane[] part in lanes.Chunk(together))
        {
            ForceTogether(part, reference, gold, questionLength);
        }
    }

    /// <summary>As <see cref="Force"/>, for as many lanes as are compared in one call; what follows the first token.</summary>
    private void ForceTogether(Lane[] lanes, Lane? reference, int[] gold, int questionLength)
    {
        Lane[] all = reference is null ? lanes : [reference, .. lanes];
        Array.ForEach(all, l => l.Sequence.Truncate(questionLength));
        int ahead = all.Length - lanes.Length;
        int block = Math.Max(1, engine.RowsAtOnce / all.Length);
        var questions = new LogitQuestion[all.Length * block];
        var answers = new LogitAnswer[all.Length * block];
        for (int start = 0; start < gold.Length - 1; start += block)
        {
            int count = Math.Min(block, gold.Length - 1 - start);
            for (int k = 0; k < all.Length * count; k++)
            {
                questions[k] = new LogitQuestion(gold[start + (k % count) + 1], k / count < ahead || reference is null ? -1 : k % count);
            }

            engine.Compare(Rows(all, gold.AsSpan(start, count)), questions, answers, cancellationToken);
            for (int k = ahead * count; k < all.Length * count; k++)
            {
                all[k / count].GoldLogLikelihood += answers[k].LogProbability;
                all[k / count].Divergence += answers[k].Divergence;
            }
        }
    }

    /// <summary>Feeds the same tokens to every lane, in one call; the logits of lane i's token t are row i · tokens + t.</summary>
    private void Step(List<Lane> lanes, ReadOnlySpan<int> tokens, bool wantLogits)
    {
        EngineRow[] rows = Rows(lanes, tokens);
        engine.Step(rows, wantLogits ? Logits(rows.Length) : default, cancellationToken);
    }

    private static EngineRow[] Rows(IReadOnlyList<Lane> lanes, ReadOnlySpan<int> tokens)
    {
        var rows = new EngineRow[lanes.Count * tokens.Length];
        for (int i = 0; i < rows.Length; i++)
        {
            rows[i] = new EngineRow(lanes[i / tokens.Length].Sequence, tokens[i % tokens.Length]);
        }

        return rows;
    }

    private Span<float> Logits(int rows)
    {
        long length = (long)rows * _vocabulary;
        if (_logits.LongLength < length)
        {
            _logits = new float[length];
        }

        return _logits.AsSpan(0, (int)length);
    }

    /// <summary>Rows of lanes, on all cores; where a task is code of the user's own, which belongs to the caller's thread, one after the other.</summary>
    private SampleResult[] Results(OpenSample sample, Lane[] lanes)
    {
        var rows = new SampleResult[lanes.Length];
        if (Array.Exists(lanes, l => l.Job!.Run.HasOwnCode))
        {
            for (int i = 0; i < rows.Length; i++)
            {
                rows[i] = Row(sample, lanes[i]);
            }
        }
        else
        {
            WorkerPool.For(rows.Length, i => rows[i] = Row(sample, lanes[i]), CancellationToken.None);
        }

        return rows;
    }

    private SampleResult Row(OpenSample open, Lane lane)
    {
        (TaskSample sample, SamplePrompt prompt, int[] gold) = (open.Sample, open.Prompt, open.Gold);
        int[]? denseOutput = open.Reference is null ? null : open.DenseOutput;
        SampleJob job = lane.Job!;
        PlannedRun run = job.Run;
        PrefillStatistics prefill = lane.Prefill;
        DecodeStatistics decode = lane.Statistics!;
        PromptShape shape = SamplePrompt.Shape(engine.Configuration, prompt.Prefill.Length);
        int[] output = [.. lane.Output];
        string text = engine.Decode(output);
        TaskScore score = run.Task.Score(sample.GoldJson, text, run.Specification.ReferenceScoring);
        return new SampleResult
        {
            RunId = job.RunId,
            Index = sample.Index,
            Score = score.Score,
            FormatFailure = score.FormatFailure,
            GoldJson = sample.GoldJson,
            Output = text,
            OutputTokens = string.Join(',', output.Select(t => t.ToString(CultureInfo.InvariantCulture))),
            OutputTokenCount = output.Length,
            PromptTokens = sample.PromptTokens,
            GoldLogLikelihood = gold.Length > 0 ? lane.GoldLogLikelihood : null,
            GoldTokenCount = gold.Length,
            FirstDivergentToken = denseOutput is null ? null : FirstDifference(output, denseOutput),
            DivergenceToDense = denseOutput is null || gold.Length == 0 ? null : lane.Divergence / gold.Length,
            PrefillSparsity = 1 - Share(prefill.AttendedPairs, prefill.CausalPairs, 1),
            DecodeSparsity = decode.DenseTokens > 0 ? 1 - Share(decode.AttendedTokens, decode.DenseTokens, 1) : null,
            CacheSparsity = CacheSparsity(decode, run, job, shape),
            NominalSparsity = job.PrefillMethod is null ? 0 : (job.Prefill!.Schedule.IsUniform ? run.Prefill.NominalSparsity(shape, job.Prefill) ?? prefill.NominalSparsity : null),
            NominalDecodeSparsity = job.Decode is null ? 0 : job.Decode.Schedule.IsUniform ? run.Decode.NominalSparsity(shape, job.Decode) : null,
            WholeModelSparsity = 1 - Share(prefill.AttendedPairsAllLayers, prefill.CausalPairsAllLayers, 1),
            ExecutedDensity = Share(prefill.ExecutedPairs, prefill.CausalPairs, 1),
            ForcedShare = Share(prefill.ForcedPairs, prefill.AttendedPairs, 0),
            DecodeForcedShare = decode.AttendedTokens > 0 ? Share(decode.ForcedTokens, decode.AttendedTokens, 0) : null,
            Parameters = job.Prefill?.ToString() ?? "",
            DecodeParameters = job.Decode?.ToString() ?? "",
            DenseFallback = job.Prefill is null || job.Decode is null,
            ProcessorSelection = string.Join(
                ", ", new[] { prefill.SelectedOnProcessor ? "Prefill" : "", decode.SelectedOnProcessor ? "Decode" : "" }.Where(p => p.Length > 0)),
            PrefillSeconds = lane.PrefillSeconds,
            PrefillOperations = prefill.Operations,
            PrefillIndexSeconds = prefill.IndexSeconds,
            PrefillAttentionSeconds = prefill.GlobalAttentionSeconds,
            IndexSeconds = prefill.IndexSeconds + decode.IndexSeconds,
            AttentionSeconds = prefill.AttentionSeconds + decode.AttentionSeconds,
            DecodeSeconds = lane.DecodeSeconds,
            SequencesPerStep = lane.SequencesPerStep,
            DecodeOperations = decode.Operations,
            ElapsedSeconds = lane.PrefillSeconds + lane.DecodeSeconds,
            Joules = lane.Joules,
            BytesRead = decode.BytesRead,
            CacheBytes = decode.CacheBytes,
            PeakMemoryBytes = lane.Prompt.PeakBytes,
            PrefillShared = lane.Prompt.IsShared,
            Device = device ?? run.Specification.Device,
        };
    }

    /// <summary>Sparsity of a step right after the prompt: what an eviction left out of the cache, or what a selection leaves out of a step.</summary>
    private static double CacheSparsity(DecodeStatistics decode, PlannedRun run, SampleJob job, PromptShape shape)
    {
        double evicted = 1 - Share(decode.KeptPromptTokens, decode.PromptTokens, 1);
        return evicted > 0 || job.Decode is null ? evicted : run.Decode.ExpectedSparsity(shape, job.Decode) ?? 0;
    }

    /// <summary>Index of the first token in which two outputs differ, their ends included; -1 if they are the same.</summary>
    private static int FirstDifference(int[] output, int[] dense)
    {
        int common = output.AsSpan().CommonPrefixLength(dense);
        return common == output.Length && common == dense.Length ? -1 : common;
    }

    private static double Share(long part, long whole, double ofNothing) => whole > 0 ? part / (double)whole : ofNothing;

    /// <summary>A prompt that several lanes continue; freed with the last of them.</summary>
    private sealed class SharedPrompt(EnginePrompt state, bool isShared, int owners)
    {
        private int _owners = owners;
        private bool _closed;

        public EnginePrompt State => state;

        public bool IsShared => isShared;

        /// <summary>Bytes that were in use at most from the beginning of the prefill until its sequences were started, had it been alone.</summary>
        public long PeakBytes { get; set; }

        public void Release()
        {
            if (--_owners == 0)
            {
                Close();
            }
        }

        public void Close()
        {
            if (!_closed)
            {
                _closed = true;
                state.Dispose();
            }
        }
    }

    /// <summary>A sample under way.</summary>
    private sealed class OpenSample(
        TaskSample sample, SamplePrompt prompt, int[] gold, Action<SampleJob, SampleResult> completed, long cacheBytes, int jobs)
    {
        public TaskSample Sample => sample;

        public SamplePrompt Prompt => prompt;

        public int[] Gold => gold;

        public Action<SampleJob, SampleResult> Completed => completed;

        public long CacheBytes => cacheBytes;

        /// <summary>The dense sequence that lanes are compared with.</summary>
        public Lane? Reference { get; set; }

        /// <summary>Output of the dense run, as soon as it is known.</summary>
        public int[]? DenseOutput { get; set; }

        /// <summary>Lanes whose output has ended.</summary>
        public List<Lane> Ended { get; } = [];

        /// <summary>Lanes that need nothing more, whose rows have not been told.</summary>
        public List<Lane> Forced { get; } = [];

        /// <summary>Jobs that are not forced.</summary>
        public int Left { get; set; } = jobs;
    }

    /// <summary>One sequence being generated; without a job, a dense one that others are compared with.</summary>
    private sealed class Lane(OpenSample sample, SampleJob? job, SharedPrompt prompt, EngineSequence sequence, int maximumOutputTokens) : IDisposable
    {
        private bool _disposed;
        private int _steps;
        private int _sequences;

        public OpenSample Sample => sample;

        public SampleJob? Job => job;

        public SharedPrompt Prompt => prompt;

        public EngineSequence Sequence => sequence;

        public int MaximumOutputTokens => maximumOutputTokens;

        public float[] LastLogits { get; set; } = prompt.State.LastLogits;

        /// <summary>Of the prefill.</summary>
        public PrefillStatistics Prefill { get; } = prompt.State.Statistics;

        /// <summary>The prefill and this lane's own eviction, without those of the lanes that share the prefill.</summary>
        public double PrefillSeconds { get; } = prompt.State.Statistics.TotalSeconds + sequence.Statistics.IndexSeconds;

        public List<int> Output { get; } = [];

        public DecodeStatistics? Statistics { get; set; }

        public double DecodeSeconds { get; private set; }

        /// <summary>Sequences of a step, this one among them, on average; null before the first.</summary>
        public double? SequencesPerStep => _steps > 0 ? _sequences / (double)_steps : null;

        /// <summary>Joules of the prefill and of this lane's part of the steps; null where nothing counts them.</summary>
        public double? Joules { get; set; }

        public double GoldLogLikelihood { get; set; }

        public double Divergence { get; set; }

        /// <summary>Takes this lane's part of a step.</summary>
        /// <param name="seconds">Of the whole step.</param>
        /// <param name="sequences">Among how many it is divided.</param>
        public void AddStep(double seconds, int sequences)
        {
            DecodeSeconds += seconds / sequences;
            _sequences += sequences;
            _steps++;
        }

        public void Dispose()
        {
            if (!_disposed)
            {
                _disposed = true;
                sequence.Dispose();
                prompt.Release();
            }
        }
    }
}
