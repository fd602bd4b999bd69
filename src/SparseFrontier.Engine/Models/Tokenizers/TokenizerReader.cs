using System.Security.Cryptography;
using System.Text.Json;

namespace SparseFrontier.Models.Tokenizers;

/// <summary>Reads <c>tokenizer.json</c>. Truncation and padding are ignored: the library's users set both anew for each call.</summary>
internal sealed class TokenizerReader
{
    // Ids that may be without a token, and how many times more ids than tokens there may be besides.
    private const int LargestGaps = 1 << 16;
    private const int LargestSpread = 16;

    // NFKC makes one character into 18, bytes into characters are 3, a space before each piece 2: far more than any published tokenizer.
    private const double LargestGrowth = 1024;

    private readonly string _file;
    private double _growth = 1;

    private TokenizerReader(string file)
    {
        _file = file;
    }

    /// <summary>Reads the components.</summary>
    /// <exception cref="SparseFrontierException">TokenizerInvalid or TokenizerUnsupported, naming file and component.</exception>
    public static TokenizerComponents Read(byte[] content, string file)
    {
        var reader = new TokenizerReader(file);
        try
        {
            using var document = JsonDocument.Parse(content);
            return reader.Components(document.RootElement, Convert.ToHexStringLower(SHA256.HashData(content)));
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException or KeyNotFoundException or FormatException)
        {
            throw new SparseFrontierException(
                ErrorIds.TokenizerInvalid,
                $"Tokenizer '{file}' is not a valid tokenizer.json: {exception.Message} Download it again.",
                file,
                exception);
        }
    }

    private TokenizerComponents Components(JsonElement root, string contentHash)
    {
        JsonElement model = root.GetProperty("model");
        var vocabulary = new Dictionary<string, int>(StringComparer.Ordinal);
        BytePairModel bytePairs = Model(model, vocabulary);
        var normalizers = new List<Func<string, string>>();
        AddNormalizers(Optional(root, "normalizer"), normalizers);
        Func<string, string>? normalizer = normalizers.Count == 0
            ? null
            : text => normalizers.Aggregate(text, static (value, step) => step(value));

        var ids = new Dictionary<string, int>(vocabulary, StringComparer.Ordinal);
        var added = new List<AddedToken>();
        int highest = -1;
        if (Optional(root, "added_tokens") is { } entries)
        {
            foreach (JsonElement entry in entries.EnumerateArray())
            {
                AddedToken token = ReadAddedToken(entry);
                if (token.Content.Length == 0)
                {
                    continue;
                }

                // The library gives ids by itself, in order, and leaves the file's aside; they agree in every file that it wrote.
                token = token with
                {
                    Id = ids.GetValueOrDefault(token.Content, highest >= vocabulary.Count ? highest + 1 : vocabulary.Count),
                };
                ids[token.Content] = token.Id;
                highest = Math.Max(highest, token.Id);
                added.Add(token);
            }
        }

        // Ids have gaps, but a table that few bytes ask to be huge is no tokenizer's.
        int last = ids.Count == 0 ? -1 : ids.Values.Max();
        if (last >= LargestGaps + ((long)LargestSpread * ids.Count))
        {
            throw Invalid(FormattableString.Invariant($"the id {last} is far beyond its {ids.Count} tokens"));
        }

        string?[] tokens = new string?[last + 1];
        foreach ((string token, int id) in vocabulary)
        {
            tokens[id] = token;
        }

        foreach (AddedToken token in added)
        {
            tokens[token.Id] = token.Content;
        }

        var preTokenizers = new List<Action<TextPieces>>();
        AddPreTokenizers(Optional(root, "pre_tokenizer"), preTokenizers);
        var prefix = new List<int>();
        var suffix = new List<int>();
        AddPostProcessors(Optional(root, "post_processor"), prefix, suffix);
        List<Func<List<string>, List<string>>>? decoders = null;
        if (Optional(root, "decoder") is { } decoder)
        {
            _growth = 1;
            AddDecoders(decoder, decoders = []);
        }

        return new TokenizerComponents
        {
            ContentHash = contentHash,
            Tokens = tokens,
            Ids = ids,
            SpecialIds = added.Where(static token => token.Special).Select(static token => token.Id).ToHashSet(),
            RawTokens = new AddedTokens(added.Where(static token => !token.Normalized)),
            NormalizedTokens = new AddedTokens(added
                .Where(static token => token.Normalized)
                .Select(token => normalizer is null ? token : token with { Content = normalizer(token.Content) })),
            Normalizer = normalizer,
            PreTokenizers = preTokenizers,
            Model = bytePairs,
            Prefix = prefix.ToArray(),
            Suffix = suffix.ToArray(),
            Decoders = decoders,
        };
    }

    private BytePairModel Model(JsonElement model, Dictionary<string, int> vocabulary)
    {
        string type = Optional(model, "type")?.GetString() ?? (model.TryGetProperty("merges", out _) ? "BPE" : "without a type");
        if (type != "BPE")
        {
            throw Unsupported("model", type);
        }

        if (Optional(model, "dropout") is { } dropout && dropout.GetDouble() > 0)
        {
            throw Unsupported("model", "BPE with dropout");
        }

        foreach (string option in (string[])["continuing_subword_prefix", "end_of_word_suffix"])
        {
            if (!string.IsNullOrEmpty(Optional(model, option)?.GetString()))
            {
                throw Unsupported("model", $"BPE with {option}");
            }
        }

        foreach (JsonProperty entry in model.GetProperty("vocab").EnumerateObject())
        {
            int id = entry.Value.GetInt32();
            if (id < 0 || entry.Name.Length == 0)
            {
                throw Invalid($"the vocabulary entry '{entry.Name}' with id {id} cannot be a token");
            }

            vocabulary[entry.Name] = id;
        }

        var merges = new List<(string Left, string Right)>();
        foreach (JsonElement merge in model.GetProperty("merges").EnumerateArray())
        {
            merges.Add(Merge(merge));
        }

        int unknownId = -1;
        if (Optional(model, "unk_token")?.GetString() is { } unknown && !vocabulary.TryGetValue(unknown, out unknownId))
        {
            throw Invalid($"the unknown token '{unknown}' is not in the vocabulary");
        }

        return new BytePairModel(
            vocabulary, merges, Flag(model, "ignore_merges", false), Flag(model, "byte_fallback", false), Flag(model, "fuse_unk", false), unknownId);
    }

    private (string Left, string Right) Merge(JsonElement merge)
    {
        if (merge.ValueKind == JsonValueKind.Array)
        {
            return merge.GetArrayLength() == 2
                ? (Text(merge[0]), Text(merge[1]))
                : throw Invalid("a merge does not have two parts");
        }

        string text = Text(merge);
        int space = text.IndexOf(' ', StringComparison.Ordinal);
        return space > 0 && space == text.LastIndexOf(' ') && space < text.Length - 1
            ? (text[..space], text[(space + 1)..])
            : throw Invalid($"the merge '{text}' is not two tokens with a space between");
    }

    private AddedToken ReadAddedToken(JsonElement entry)
    {
        string content = Text(entry.GetProperty("content"));
        bool special = Flag(entry, "special", false);
        return new AddedToken(
            -1,
            content,
            Flag(entry, "single_word", false),
            Flag(entry, "lstrip", false),
            Flag(entry, "rstrip", false),
            Flag(entry, "normalized", !special),
            special);
    }

    private void AddNormalizers(JsonElement? component, List<Func<string, string>> steps)
    {
        if (component is not { } normalizer)
        {
            return;
        }

        string type = TypeOf(normalizer);
        switch (type)
        {
            case "Sequence":
                foreach (JsonElement step in normalizer.GetProperty("normalizers").EnumerateArray())
                {
                    AddNormalizers(step, steps);
                }

                break;
            case "NFC" or "NFD" or "NFKC" or "NFKD":
                Grow(type is "NFKC" or "NFKD" ? 18 : type == "NFD" ? 4 : 3);
                steps.Add(UnicodeNormalizer.For(type).Normalize);
                break;
            case "Replace":
                TextPattern pattern = Pattern(normalizer.GetProperty("pattern"));
                string content = Text(normalizer.GetProperty("content"));
                Grow(pattern.Growth(content));
                steps.Add(text => pattern.Replace(text, content));
                break;
            case "Prepend":
                string prefix = Text(normalizer.GetProperty("prepend"));
                Grow(1 + prefix.Length);
                steps.Add(text => text.Length == 0 ? text : prefix + text);
                break;
            case "Lowercase":
                Grow(2);

                // The only character whose full lower-case form is longer than one character.
                steps.Add(static text => text.Replace("İ", "i̇", StringComparison.Ordinal).ToLowerInvariant());
                break;
            case "Strip":
                bool left = Flag(normalizer, "strip_left", false);
                bool right = Flag(normalizer, "strip_right", false);
                steps.Add(text => left && right ? text.Trim() : left ? text.TrimStart() : right ? text.TrimEnd() : text);
                break;
            default:
                throw Unsupported("normalizer", type);
        }
    }

    private void AddPreTokenizers(JsonElement? component, List<Action<TextPieces>> steps)
    {
        if (component is not { } preTokenizer)
        {
            return;
        }

        string type = TypeOf(preTokenizer);
        switch (type)
        {
            case "Sequence":
                foreach (JsonElement step in preTokenizer.GetProperty("pretokenizers").EnumerateArray())
                {
                    AddPreTokenizers(step, steps);
                }

                break;
            case "Split":
                steps.Add(Split(preTokenizer));
                break;
            case "ByteLevel":
                Grow(Flag(preTokenizer, "add_prefix_space", true) ? 6 : 3);
                steps.AddRange(PreTokenizers.ByteLevel(Flag(preTokenizer, "add_prefix_space", true), Flag(preTokenizer, "use_regex", true)));
                break;
            case "Digits":
                steps.Add(PreTokenizers.SplitAt(
                    CodePoints.Number,
                    Flag(preTokenizer, "individual_digits", false) ? PreTokenizers.Behavior.Isolated : PreTokenizers.Behavior.Contiguous));
                break;
            case "Punctuation":
                steps.Add(PreTokenizers.SplitAt(CodePoints.Punctuation, BehaviorOf(preTokenizer, PreTokenizers.Behavior.Isolated)));
                break;
            case "Whitespace":
                steps.Add(PreTokenizers.Whitespace());
                break;
            case "WhitespaceSplit":
                steps.Add(PreTokenizers.SplitAt(CodePoints.Space, PreTokenizers.Behavior.Removed));
                break;
            case "Metaspace":
                Grow(2);
                steps.AddRange(PreTokenizers.Metaspace(
                    SpaceReplacement(preTokenizer), PrependScheme(preTokenizer), Flag(preTokenizer, "split", true)));
                break;
            default:
                throw Unsupported("pre_tokenizer", type);
        }
    }

    private Action<TextPieces> Split(JsonElement split)
    {
        JsonElement pattern = split.GetProperty("pattern");
        PreTokenizers.Behavior behavior = BehaviorOf(split, null);
        bool invert = Flag(split, "invert", false);

        // Every character lies in a match of these two, so that removal of what is not matched changes nothing.
        bool keepsMatches = (behavior == PreTokenizers.Behavior.Isolated && !invert) || (behavior == PreTokenizers.Behavior.Removed && invert);
        if (keepsMatches && pattern.TryGetProperty("Regex", out JsonElement regex))
        {
            int digits = regex.GetString() switch
            {
                WordScanner.QwenPattern => 1,
                WordScanner.Llama3Pattern => 3,
                _ => 0,
            };
            if (digits > 0)
            {
                return PreTokenizers.Each((piece, offset, ranges) => WordScanner.SplitWords(piece, offset, digits, ranges));
            }

            if (regex.GetString() == WordScanner.Gpt2Pattern)
            {
                return PreTokenizers.Each(WordScanner.SplitGpt2);
            }
        }

        return PreTokenizers.Split(Pattern(pattern), behavior, invert);
    }

    private void AddPostProcessors(JsonElement? component, List<int> prefix, List<int> suffix)
    {
        if (component is not { } processor)
        {
            return;
        }

        string type = TypeOf(processor);
        switch (type)
        {
            case "Sequence":
                foreach (JsonElement step in processor.GetProperty("processors").EnumerateArray())
                {
                    AddPostProcessors(step, prefix, suffix);
                }

                break;
            case "ByteLevel":
                // Only character offsets, which nobody asks for here.
                break;
            case "TemplateProcessing" when prefix.Count + suffix.Count > 0:
                // The library treats what the first one gave as a pair of texts.
                throw Unsupported("post_processor", "Sequence of two templates");
            case "TemplateProcessing":
                AddTemplate(processor, prefix, suffix);
                break;
            default:
                throw Unsupported("post_processor", type);
        }
    }

    private void AddTemplate(JsonElement processor, List<int> prefix, List<int> suffix)
    {
        int texts = 0;
        foreach (JsonElement part in processor.GetProperty("single").EnumerateArray())
        {
            if (part.TryGetProperty("Sequence", out _))
            {
                texts++;
                continue;
            }

            string name = Text(part.GetProperty("SpecialToken").GetProperty("id"));
            foreach (JsonElement id in processor.GetProperty("special_tokens").GetProperty(name).GetProperty("ids").EnumerateArray())
            {
                (texts == 0 ? prefix : suffix).Add(id.GetInt32());
            }
        }

        if (texts != 1)
        {
            throw Invalid($"the post-processor's template holds the text {Counted.Of(texts, "time")} instead of once");
        }
    }

    private void AddDecoders(JsonElement decoder, List<Func<List<string>, List<string>>> steps)
    {
        string type = TypeOf(decoder);
        switch (type)
        {
            case "Sequence":
                foreach (JsonElement step in decoder.GetProperty("decoders").EnumerateArray())
                {
                    AddDecoders(step, steps);
                }

                break;
            case "ByteLevel":
                steps.Add(ByteLevelAlphabet.Decode);
                break;
            case "ByteFallback":
                steps.Add(Decoders.ByteFallback);
                break;
            case "Fuse":
                steps.Add(Decoders.Fuse);
                break;
            case "Replace":
                TextPattern pattern = Pattern(decoder.GetProperty("pattern"));
                string content = Text(decoder.GetProperty("content"));
                Grow(pattern.Growth(content));
                steps.Add(Decoders.Replace(pattern, content));
                break;
            case "Strip":
                steps.Add(Decoders.Strip(
                    Character(decoder.GetProperty("content")), decoder.GetProperty("start").GetInt32(), decoder.GetProperty("stop").GetInt32()));
                break;
            case "Metaspace":
                steps.Add(Decoders.Metaspace(SpaceReplacement(decoder), PrependScheme(decoder)));
                break;
            default:
                throw Unsupported("decoder", type);
        }
    }

    // Each step may make a text longer, and the next one takes what the last one made.
    private void Grow(double factor)
    {
        _growth *= factor;
        if (_growth > LargestGrowth)
        {
            throw Invalid($"its steps could make a text more than {LargestGrowth} times longer");
        }
    }

    private TextPattern Pattern(JsonElement pattern)
    {
        if (pattern.TryGetProperty("String", out JsonElement literal))
        {
            return TextPattern.Literal(Text(literal));
        }

        return pattern.TryGetProperty("Regex", out JsonElement regex)
            ? TextPattern.Regular(Text(regex))
            : throw Unsupported("pattern", pattern.GetRawText());
    }

    private PreTokenizers.Behavior BehaviorOf(JsonElement component, PreTokenizers.Behavior? otherwise)
    {
        string? name = Optional(component, "behavior")?.GetString();
        return name switch
        {
            null when otherwise is { } value => value,
            "Removed" => PreTokenizers.Behavior.Removed,
            "Isolated" => PreTokenizers.Behavior.Isolated,
            "MergedWithPrevious" => PreTokenizers.Behavior.MergedWithPrevious,
            "MergedWithNext" => PreTokenizers.Behavior.MergedWithNext,
            "Contiguous" => PreTokenizers.Behavior.Contiguous,
            _ => throw Unsupported("split behavior", name ?? "none"),
        };
    }

    private string PrependScheme(JsonElement metaspace)
    {
        string? scheme = Optional(metaspace, "prepend_scheme")?.GetString();
        return scheme switch
        {
            // Older files say add_prefix_space instead.
            null => Flag(metaspace, "add_prefix_space", true) ? "always" : "never",
            "always" or "first" or "never" => scheme,
            _ => throw Unsupported("Metaspace prepend_scheme", scheme),
        };
    }

    private char SpaceReplacement(JsonElement metaspace) => Optional(metaspace, "replacement") is { } value ? Character(value) : '▁';

    private char Character(JsonElement value) =>
        value.GetString() is { Length: 1 } text ? text[0] : throw Invalid($"{value.GetRawText()} stands where one character must");

    private string TypeOf(JsonElement component) => Text(component.GetProperty("type"));

    private string Text(JsonElement value) => value.GetString() ?? throw Invalid("null stands where a text must");

    private bool Flag(JsonElement element, string name, bool otherwise) => Optional(element, name)?.GetBoolean() ?? otherwise;

    private static JsonElement? Optional(JsonElement element, string name) =>
        element.TryGetProperty(name, out JsonElement value) && value.ValueKind != JsonValueKind.Null ? value : null;

    private SparseFrontierException Unsupported(string component, string type) => new(
        ErrorIds.TokenizerUnsupported,
        $"Tokenizer '{_file}' has the {component} '{type}', which is not supported (docs/tokenizers.md lists what is).",
        type);

    private SparseFrontierException Invalid(string what) => new(
        ErrorIds.TokenizerInvalid, $"Tokenizer '{_file}' is not a valid tokenizer.json: {what}. Download it again.", _file);
}
