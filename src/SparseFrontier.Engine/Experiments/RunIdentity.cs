using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using SparseFrontier.Attention;

namespace SparseFrontier.Experiments;

/// <summary>
/// The identity of a run: a hash of everything that affects an answer (content of checkpoint, tokenizer, chat template and data file; type
/// of the cache; names, versions and parameters of task and methods; sparsities, length, seed, protocol) and of nothing else, so neither of the sample count nor
/// of paths, device or folder of results.
/// </summary>
internal static class RunIdentity
{
    /// <summary>Changes when the same specification may give other answers for a reason that no other version number tells.</summary>
    public const int Version = 2;

    /// <summary>The identity as JSON, properties in a fixed order.</summary>
    /// <param name="run">The run.</param>
    /// <param name="model">The model's content hashes.</param>
    /// <param name="dataHash">Content hash of the task's data; null if it reads none.</param>
    public static JsonObject Create(PlannedRun run, ModelIdentity model, string? dataHash)
    {
        JsonObject identity = Cell(run, model, dataHash);
        identity["Prefill"] = Method(run.Prefill, run.PrefillParameters, run.Specification.Sparsity);
        identity["Decode"] = Method(run.Decode, run.DecodeParameters, run.Specification.DecodeSparsity);
        identity["AllowDenseFallback"] = run.Specification.AllowDenseFallback;
        return identity;
    }

    /// <summary>The identity of the dense run of the same cell.</summary>
    public static JsonObject Dense(PlannedRun run, ModelIdentity model, string? dataHash)
    {
        PrefillMethod prefill = MethodLookup.Prefill("Dense")!;
        DecodeMethod decode = MethodLookup.Decode("Dense")!;
        JsonObject identity = Cell(run, model, dataHash);
        identity["Prefill"] = Method(prefill, prefill.CreateParameters(), null);
        identity["Decode"] = Method(decode, decode.CreateParameters(), null);
        identity["AllowDenseFallback"] = false;
        return identity;
    }

    /// <summary>The part of the identity that runs share whose samples are the same: all but the methods.</summary>
    public static JsonObject Cell(PlannedRun run, ModelIdentity model, string? dataHash)
    {
        RunSpecification specification = run.Specification;
        var identity = new JsonObject
        {
            ["IdentityVersion"] = Version,
            ["Checkpoint"] = model.Checkpoint,
            ["Tokenizer"] = model.Tokenizer,
            ["ChatTemplate"] = model.ChatTemplate,
            ["CacheType"] = model.CacheType,
            ["Task"] = specification.Task,
            ["TaskVersion"] = run.Task.Version,
            ["TaskParameters"] = specification.TaskParameters,
            ["TaskData"] = dataHash,
            ["SequenceLength"] = specification.SequenceLength,
            ["Seed"] = specification.Seed,
            ["QuestionPosition"] = specification.QuestionPosition,
            ["CompressBefore"] = specification.CompressBefore,
            ["ShortInstructions"] = specification.ShortInstructions,
            ["MaximumOutputTokens"] = specification.MaximumOutputTokens,
            ["YarnFactor"] = run.YarnFactor,
            ["Generation"] = "Greedy",
            ["ReferenceScoring"] = specification.ReferenceScoring,
        };
        if (run.Task.CodeHash is string hash)
        {
            identity["TaskCode"] = hash;
        }

        return identity;
    }

    /// <summary>First 16 hexadecimal digits of the SHA-256 of a JSON text without white space.</summary>
    public static string Hash(JsonObject identity) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(identity.ToJsonString())))[..16];

    /// <summary>SHA-256 of a data file, or of the files of a folder with their names; null without a path.</summary>
    /// <exception cref="SparseFrontierException">TaskDataMissing.</exception>
    public static string? HashData(string? path)
    {
        if (path is null)
        {
            return null;
        }

        try
        {
            if (!Directory.Exists(path))
            {
                return HashFile(path);
            }

            var text = new StringBuilder();
            foreach (string file in PlainFile.Enumerate(path, "*").Order(StringComparer.Ordinal))
            {
                text.Append(Path.GetRelativePath(path, file).Replace('\\', '/')).Append(' ').Append(HashFile(file)).Append('\n');
            }

            return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new SparseFrontierException(ErrorIds.TaskDataMissing, $"The task's data '{path}' cannot be read: {e.Message}", path, e);
        }
    }

    private static string HashFile(string path)
    {
        using Stream stream = PlainFile.Open(path);
        return Convert.ToHexStringLower(SHA256.HashData(stream));
    }

    private static JsonObject Method(AttentionMethod method, MethodParameters parameters, double? sparsity)
    {
        var identity = new JsonObject
        {
            ["Name"] = method.Name,
            ["Version"] = method.Version,
            ["Parameters"] = parameters.ToString(),
            ["Sparsity"] = sparsity,
            ["Calibration"] = sparsity is not null && method.NeedsCalibration ? Calibration.Version : null,
        };
        if (method.CodeHash is string hash)
        {
            identity["Code"] = hash;
        }

        return identity;
    }
}
