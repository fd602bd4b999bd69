using System.Text.Json;

namespace SparseFrontier.Models.Safetensors;

/// <summary>The weights of a checkpoint directory: model.safetensors, or the shards that model.safetensors.index.json names. Pickled weights are never read.</summary>
public sealed class SafetensorsCheckpoint : IDisposable
{
    private const string SingleFile = "model.safetensors";
    private const string IndexFile = "model.safetensors.index.json";

    private static readonly JsonDocumentOptions s_indexOptions = new() { AllowDuplicateProperties = false, MaxDepth = 16 };

    private readonly List<SafetensorsFile> _files;

    private SafetensorsCheckpoint(string directory, List<SafetensorsFile> files, IReadOnlyDictionary<string, SafetensorsTensor> tensors)
    {
        Directory = directory;
        _files = files;
        Tensors = tensors;
    }

    /// <summary>The directory as given.</summary>
    public string Directory { get; }

    /// <summary>All tensors by name.</summary>
    public IReadOnlyDictionary<string, SafetensorsTensor> Tensors { get; }

    /// <summary>Opens the weights of a directory.</summary>
    /// <exception cref="SparseFrontierException">CheckpointUnreadable or CheckpointInvalid; the message names file, tensor and cause.</exception>
    public static SafetensorsCheckpoint Open(string directory)
    {
        string index = Path.Combine(directory, IndexFile);
        string single = Path.Combine(directory, SingleFile);
        if (File.Exists(index))
        {
            return OpenShards(directory, index);
        }

        if (File.Exists(single))
        {
            var file = SafetensorsFile.Open(single);
            return new SafetensorsCheckpoint(directory, [file], file.Tensors);
        }

        bool pickled = System.IO.Directory.Exists(directory) && System.IO.Directory.EnumerateFiles(directory, "*.bin").Any();
        throw new SparseFrontierException(
            ErrorIds.CheckpointUnreadable,
            $"'{directory}' holds neither {SingleFile} nor {IndexFile}."
            + (pickled ? " Its .bin files are pickles, which can run code and are never read; convert the checkpoint to safetensors." : string.Empty),
            directory);
    }

    /// <inheritdoc/>
    public void Dispose() => _files.ForEach(f => f.Dispose());

    private static SafetensorsCheckpoint OpenShards(string directory, string index)
    {
        var files = new Dictionary<string, SafetensorsFile>(StringComparer.Ordinal);
        try
        {
            var tensors = new Dictionary<string, SafetensorsTensor>(StringComparer.Ordinal);
            List<(string Tensor, string Shard)> map = ReadIndex(index);
            foreach (string shard in map.Select(m => m.Shard).Distinct(StringComparer.Ordinal))
            {
                string path = Path.Combine(directory, shard);
                files[shard] = File.Exists(path)
                    ? SafetensorsFile.Open(path)
                    : throw new SparseFrontierException(ErrorIds.CheckpointUnreadable, $"'{index}' names the shard '{shard}', which is missing; the download may be incomplete.", path);
            }

            foreach ((string tensor, string shard) in map)
            {
                if (!files[shard].Tensors.TryGetValue(tensor, out SafetensorsTensor? found))
                {
                    string? actual = files.FirstOrDefault(f => f.Value.Tensors.ContainsKey(tensor)).Key;
                    throw Invalid(index, $"says that tensor '{tensor}' is in '{shard}', but " + (actual is null ? "no shard holds it." : $"it is in '{actual}'."));
                }

                tensors.Add(tensor, found);
            }

            return new SafetensorsCheckpoint(directory, [.. files.Values], tensors);
        }
        catch
        {
            foreach (SafetensorsFile file in files.Values)
            {
                file.Dispose();
            }

            throw;
        }
    }

    private static List<(string Tensor, string Shard)> ReadIndex(string index)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(PlainFile.ReadAllBytes(index), s_indexOptions);
            if (document.RootElement.ValueKind != JsonValueKind.Object
                || !document.RootElement.TryGetProperty("weight_map"u8, out JsonElement map)
                || map.ValueKind != JsonValueKind.Object)
            {
                throw Invalid(index, "has no weight_map.");
            }

            var entries = new List<(string, string)>();
            foreach (JsonProperty entry in map.EnumerateObject())
            {
                string shard = entry.Value.ValueKind == JsonValueKind.String ? entry.Value.GetString()! : string.Empty;
                if (!IsPlainFileName(shard))
                {
                    throw Invalid(index, $"maps tensor '{entry.Name}' to '{shard}', which is not the name of a .safetensors file in the same directory.");
                }

                entries.Add((entry.Name, shard));
            }

            return entries;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new SparseFrontierException(ErrorIds.CheckpointInvalid, $"The index '{index}' is no well-formed JSON: {e.Message}", index, e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new SparseFrontierException(ErrorIds.CheckpointUnreadable, $"'{index}' cannot be read: {e.Message}", index, e);
        }
    }

    // A name with a directory in it, of whatever system, could lead out of the checkpoint.
    private static bool IsPlainFileName(string name) =>
        name.EndsWith(".safetensors", StringComparison.Ordinal) && name.IndexOfAny(['/', '\\', ':', '\0']) < 0 && name != ".." && name[0] != '.';

    private static SparseFrontierException Invalid(string index, string cause) => new(ErrorIds.CheckpointInvalid, $"The index '{index}' {cause}", index);
}
