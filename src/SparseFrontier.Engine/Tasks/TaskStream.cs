using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using SparseFrontier.Tensors;

namespace SparseFrontier.Tasks;

/// <summary>Writes samples: as JSON lines for people and other programs, or as batches of token ids for a trainer.</summary>
public static class TaskStream
{
    private static readonly JsonWriterOptions s_lineOptions = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private static readonly JsonSerializerOptions s_requestOptions = new(JsonSerializerDefaults.Web)
    {
        UnmappedMemberHandling = System.Text.Json.Serialization.JsonUnmappedMemberHandling.Disallow,
    };

    /// <summary>
    /// Writes one line per sample: <c>{"index", "prompt" (templated text), "promptTokens", "gold", "target"}</c>. Lines are in order of index;
    /// samples are made on all cores.
    /// </summary>
    /// <param name="writer">Where the lines go.</param>
    /// <param name="source">The stream of samples.</param>
    /// <param name="encoder">The encoder that the source was opened with.</param>
    /// <param name="count">How many samples.</param>
    /// <param name="start">First index.</param>
    /// <param name="cancellationToken">Stops between samples.</param>
    public static void WriteSamples(
        TextWriter writer, TaskSource source, PromptEncoder encoder, int count, int start = 0, CancellationToken cancellationToken = default)
    {
        const int atOnce = 64;
        for (int first = 0; first < count; first += atOnce)
        {
            string[] lines = new string[Math.Min(atOnce, count - first)];
            WorkerPool.For(lines.Length, i => lines[i] = Line(source.Generate(start + first + i), encoder), cancellationToken);
            foreach (string line in lines)
            {
                writer.Write(line);
                writer.Write('\n');
            }
        }

        writer.Flush();
    }

    /// <summary>
    /// Answers requests for batches until the reader ends. A request is one JSON object on a line:
    /// <c>{"task", "length", "count", "seed", "start", "parameters": {}, "split" ("training"), "questionPosition" ("Both"),
    /// "shortInstructions", "variableLength", "turns" (1), "stop", "width", "dataPath"}</c>; task, length and count must be there. Row i is
    /// sample start + i: its templated prompt, its target response and the stop token (where "stop" names one). With "variableLength" each row
    /// has a length of its own, even over [a quarter of "length", but no less than the task's minimum; "length"]. With "turns" above 1 up to that
    /// many less one further questions on the same context follow, each as a line end, a templated message, its target response and the stop
    /// token: a conversation, in templates that write messages one after the other as ChatML does.
    /// <para>
    /// The answer is binary, little-endian: int32 count, int32 width, then count × width int32 token ids, rows padded with -1, then count int32,
    /// where the target starts in each row. Width is that of the longest row, or "width" where it is given. A request that cannot be served is
    /// answered with int32 -1, int32 n and n bytes of UTF-8, the message; the next request is then read.
    /// </para>
    /// </summary>
    /// <param name="requests">Request lines; empty lines are passed over.</param>
    /// <param name="batches">Where the batches go; flushed after each.</param>
    /// <param name="encoder">The model's template and tokenizer.</param>
    /// <param name="cancellationToken">Stops between samples.</param>
    public static void Serve(TextReader requests, Stream batches, PromptEncoder encoder, CancellationToken cancellationToken = default)
    {
        var sources = new Dictionary<string, TaskSource>();
        while (requests.ReadLine() is { } line)
        {
            if (string.IsNullOrWhiteSpace(line))
            {
                continue;
            }

            try
            {
                WriteBatch(batches, MakeRows(Parse(line), sources, encoder, out int width, cancellationToken), width);
            }
            catch (SparseFrontierException exception)
            {
                byte[] message = Encoding.UTF8.GetBytes($"{exception.ErrorId}: {exception.Message}");
                WriteHeader(batches, -1, message.Length);
                batches.Write(message);
            }

            batches.Flush();
        }
    }

    private static string Line(TaskSample sample, PromptEncoder encoder)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, s_lineOptions))
        {
            json.WriteStartObject();
            json.WriteNumber("index", sample.Index);
            json.WriteString("prompt", encoder.Template(sample.Prompt));
            json.WriteNumber("promptTokens", sample.PromptTokens);
            json.WritePropertyName("gold");
            json.WriteRawValue(sample.GoldJson);
            json.WriteString("target", sample.TargetResponse);
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.GetBuffer().AsSpan(0, (int)buffer.Length));
    }

    private static BatchRequest Parse(string line)
    {
        BatchRequest? request;
        try
        {
            request = JsonSerializer.Deserialize<BatchRequest>(line, s_requestOptions);
        }
        catch (JsonException exception)
        {
            throw new SparseFrontierException(ErrorIds.ParameterInvalid, $"The request is not valid: {exception.Message}", line, exception);
        }

        return request is { Count: >= 1 and <= 1 << 20, Start: >= 0, Width: null or >= 1, Turns: >= 1 and <= 256 }
            ? request
            : throw new SparseFrontierException(
                ErrorIds.ParameterInvalid, "A request has a count from 1 to 1048576, a start from 0, 1 to 256 turns and a width from 1 if any.", line);
    }

    private static (int[] Ids, int TargetStart)[] MakeRows(
        BatchRequest request, Dictionary<string, TaskSource> sources, PromptEncoder encoder, out int width, CancellationToken cancellationToken)
    {
        TaskSource source = Open(request, sources, encoder);
        int[] stop = request.Stop is null
            ? []
            : [encoder.TokenId(request.Stop) ?? throw new SparseFrontierException(
                ErrorIds.ParameterInvalid, $"The tokenizer has no token '{request.Stop}' to stop at.", request.Stop)];
        if (source.Count is { } available && request.Start + request.Count > available)
        {
            throw new SparseFrontierException(
                ErrorIds.ParameterInvalid, $"{request.Task} has {Counted.Of(available, "sample")} in this split; {request.Start} + {request.Count} were asked for.", request.Count);
        }

        var rows = new (int[] Ids, int TargetStart)[request.Count];
        int shortest = Math.Max(source.MinimumLength, request.Length / 4);
        WorkerPool.For(
            rows.Length,
            i =>
            {
                int index = request.Start + i;
                int length = request.VariableLength
                    ? new RandomSource("task/length", request.Seed, index).Next(shortest, request.Length + 1)
                    : request.Length;
                (TaskSample sample, IReadOnlyList<(string Prompt, string Target)> further) = Make(source, index, length, request);
                List<int> ids = [.. sample.PromptIds, .. encoder.Encode(sample.TargetResponse), .. stop];
                foreach ((string prompt, string target) in further)
                {
                    ids.AddRange([.. encoder.Encode("\n" + encoder.Template(prompt)), .. encoder.Encode(target), .. stop]);
                }

                rows[i] = ([.. ids], sample.PromptIds.Length);
            },
            cancellationToken);
        int longest = rows.Max(r => r.Ids.Length);
        width = request.Width ?? longest;
        return longest <= width
            ? rows
            : throw new SparseFrontierException(
                ErrorIds.ParameterInvalid, $"A row of {longest} tokens does not fit the width of {width}: ask for a shorter length or a greater width.", width);
    }

    // The minimum of a task is measured on a few samples: one that does not fit a length drawn near it takes the whole length.
    private static (TaskSample Sample, IReadOnlyList<(string Prompt, string Target)> Further) Make(
        TaskSource source, int index, int length, BatchRequest request)
    {
        try
        {
            return source.Generate(index, length, request.Turns);
        }
        catch (SparseFrontierException exception) when (exception.ErrorId == ErrorIds.SequenceLengthInvalid && length < request.Length)
        {
            return source.Generate(index, request.Length, request.Turns);
        }
    }

    private static TaskSource Open(BatchRequest request, Dictionary<string, TaskSource> sources, PromptEncoder encoder)
    {
        const int kept = 256;
        string key = JsonSerializer.Serialize(request with { Start = 0, Count = 0, VariableLength = false, Turns = 1, Width = null, Stop = null });
        if (!sources.TryGetValue(key, out TaskSource? source))
        {
            if (sources.Count >= kept)
            {
                sources.Clear();
            }

            source = TaskRegistry.Find(request.Task).Open(
                new TaskOptions
                {
                    SequenceLength = request.Length,
                    Seed = request.Seed,
                    Split = request.Split,
                    QuestionPosition = request.QuestionPosition,
                    Parameters = request.Parameters ?? [],
                    DataPath = request.DataPath,
                    ShortInstructions = request.ShortInstructions,
                },
                encoder);
            sources.Add(key, source);
        }

        return source;
    }

    private static void WriteBatch(Stream batches, (int[] Ids, int TargetStart)[] rows, int width)
    {
        int[] batch = new int[(rows.Length * width) + rows.Length];
        Array.Fill(batch, -1);
        for (int i = 0; i < rows.Length; i++)
        {
            rows[i].Ids.CopyTo(batch.AsSpan(i * width));
            batch[(rows.Length * width) + i] = rows[i].TargetStart;
        }

        WriteHeader(batches, rows.Length, width);
        if (!BitConverter.IsLittleEndian)
        {
            BinaryPrimitives.ReverseEndianness(batch, batch);
        }

        batches.Write(MemoryMarshal.AsBytes(batch.AsSpan()));
    }

    private static void WriteHeader(Stream batches, int first, int second)
    {
        Span<byte> header = stackalloc byte[2 * sizeof(int)];
        BinaryPrimitives.WriteInt32LittleEndian(header, first);
        BinaryPrimitives.WriteInt32LittleEndian(header[sizeof(int)..], second);
        batches.Write(header);
    }

    private sealed record BatchRequest
    {
        public required string Task { get; init; }

        public required int Length { get; init; }

        public required int Count { get; init; }

        public long Seed { get; init; }

        public int Start { get; init; }

        public Dictionary<string, double>? Parameters { get; init; }

        public string Split { get; init; } = "training";

        [System.Text.Json.Serialization.JsonConverter(typeof(System.Text.Json.Serialization.JsonStringEnumConverter<QuestionPosition>))]
        public QuestionPosition QuestionPosition { get; init; }

        public bool ShortInstructions { get; init; }

        public bool VariableLength { get; init; }

        public int Turns { get; init; } = 1;

        public string? Stop { get; init; }

        public int? Width { get; init; }

        public string? DataPath { get; init; }
    }
}
