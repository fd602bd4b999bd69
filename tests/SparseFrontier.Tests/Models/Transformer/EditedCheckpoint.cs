using System.Text.Json.Nodes;
using SparseFrontier.Models.Safetensors;
using SparseFrontier.Tensors;

namespace SparseFrontier.Tests.Models.Transformer;

/// <summary>A copy of a committed checkpoint, to be changed by a test.</summary>
internal sealed class EditedCheckpoint : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    /// <summary>Copies a checkpoint.</summary>
    public EditedCheckpoint(string source)
    {
        foreach (string file in System.IO.Directory.EnumerateFiles(source))
        {
            File.Copy(file, _folder.File(Path.GetFileName(file)));
            File.SetAttributes(_folder.File(Path.GetFileName(file)), FileAttributes.Normal);
        }
    }

    /// <summary>The copy's directory.</summary>
    public string Directory => _folder.Path;

    /// <summary>Changes config.json.</summary>
    public EditedCheckpoint Configure(Action<JsonObject> change, string file = "config.json")
    {
        JsonObject json = JsonNode.Parse(File.ReadAllText(_folder.File(file)))!.AsObject();
        change(json);
        File.WriteAllText(_folder.File(file), json.ToJsonString());
        return this;
    }

    /// <summary>Rewrites the weights.</summary>
    /// <param name="change">By name, type, shape and bytes; remove, add or replace entries.</param>
    public unsafe EditedCheckpoint ChangeWeights(Action<SortedDictionary<string, (DataType Type, long[] Shape, byte[] Bytes)>> change)
    {
        string path = _folder.File("model.safetensors");
        var tensors = new SortedDictionary<string, (DataType Type, long[] Shape, byte[] Bytes)>(StringComparer.Ordinal);
        using (var file = SafetensorsFile.Open(path))
        {
            foreach (SafetensorsTensor tensor in file.Tensors.Values)
            {
                tensors.Add(tensor.Name, (tensor.DataType, [.. tensor.Shape], new ReadOnlySpan<byte>(tensor.Data, (int)tensor.SizeInBytes).ToArray()));
            }
        }

        change(tensors);
        Write(path, tensors);
        return this;
    }

    /// <summary>Spreads the weights over shards with an index.</summary>
    public EditedCheckpoint Shard(int shards)
    {
        ChangeWeights(tensors =>
        {
            var map = new JsonObject();
            foreach (var part in tensors.Select((t, i) => (Tensor: t, Shard: $"model-{i % shards}.safetensors")).GroupBy(t => t.Shard))
            {
                Write(_folder.File(part.Key), part.Select(p => p.Tensor));
                foreach (var item in part)
                {
                    map[item.Tensor.Key] = part.Key;
                }
            }

            File.WriteAllText(_folder.File("model.safetensors.index.json"), new JsonObject { ["weight_map"] = map }.ToJsonString());
        });
        File.Delete(_folder.File("model.safetensors"));
        return this;
    }

    /// <inheritdoc/>
    public void Dispose() => _folder.Dispose();

    private static void Write(string path, IEnumerable<KeyValuePair<string, (DataType Type, long[] Shape, byte[] Bytes)>> tensors)
    {
        var writer = new SafetensorsWriter();
        foreach ((string name, (DataType type, long[] shape, byte[] bytes)) in tensors)
        {
            writer.Add(name, type, shape, bytes);
        }

        writer.Write(path);
    }
}
