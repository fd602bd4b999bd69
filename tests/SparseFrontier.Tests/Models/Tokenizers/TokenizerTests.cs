using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using SparseFrontier.Models.Tokenizers;
using SparseFrontier.Tensors;
using Xunit;

namespace SparseFrontier.Tests.Models.Tokenizers;

/// <summary>Properties of the tokenizer as a whole, and what it refuses.</summary>
public sealed class TokenizerTests : IDisposable
{
    private const string GroupPattern = @"(?<=[0-9-][a-z]{0,7})(?=[0-9]{2})|(?<![a-z])[a-z]{1,8}|[A-Z][a-z]*| ?[0-9]{1,3}|\s+(?!\S)|\s+|[^\sa-zA-Z0-9]";

    private readonly string _directory = Directory.CreateTempSubdirectory("tokenizer").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Theory]
    [InlineData(WordScanner.Gpt2Pattern)]
    [InlineData(WordScanner.QwenPattern)]
    [InlineData(WordScanner.Llama3Pattern)]
    [InlineData(GroupPattern)]
    public void Byte_level_text_survives_encoding_and_decoding(string pattern)
    {
        var random = new RandomSource("tokenizer-round-trip", 1);
        Tokenizer tokenizer = TokenizerFiles.Load(TokenizerFiles.ByteLevel(pattern, RandomMerges(random, 400)));
        for (int i = 0; i < 400; i++)
        {
            string text = RandomText(random, random.Next(60));
            int[] ids = tokenizer.Encode(text);
            Assert.Equal(text, tokenizer.Decode(ids));
            Assert.Equal(ids.Length, tokenizer.Count(text));
        }
    }

    [Theory]
    [InlineData(WordScanner.Gpt2Pattern)]
    [InlineData(WordScanner.QwenPattern)]
    [InlineData(WordScanner.Llama3Pattern)]
    public void Scanners_split_as_their_patterns_do(string pattern)
    {
        TextPattern regex = TextPattern.Regular(pattern);
        var random = new RandomSource("tokenizer-scanner", 2);
        for (int i = 0; i < 3000; i++)
        {
            string text = RandomText(random, random.Next(30));
            var expected = new List<(int Start, int End)>();
            regex.FindMatches(text, expected);
            var actual = new List<(int Start, int End)>();
            if (pattern == WordScanner.Gpt2Pattern)
            {
                WordScanner.SplitGpt2(text, 0, actual);
            }
            else
            {
                WordScanner.SplitWords(text, 0, pattern == WordScanner.QwenPattern ? 1 : 3, actual);
            }

            Assert.Equal(expected, actual);
        }
    }

    [Fact]
    public void Long_pieces_merge_as_the_definition_says()
    {
        var random = new RandomSource("tokenizer-merges", 3);
        List<(string Left, string Right)> merges = RandomMerges(random, 300);
        Tokenizer tokenizer = TokenizerFiles.Load(TokenizerFiles.ByteLevel("[^|]+", merges));
        foreach (int length in (int[])[1, 2, 39, 40, 41, 42, 100, 700])
        {
            for (int repeat = 0; repeat < 5; repeat++)
            {
                string text = string.Concat(Enumerable.Range(0, length).Select(_ => (char)('a' + random.Next(6))));
                List<string> symbols = text.Select(static c => c.ToString()).ToList();
                foreach ((string left, string right) in BestMerges(symbols, merges))
                {
                    for (int i = 0; i + 1 < symbols.Count; i++)
                    {
                        if (symbols[i] == left && symbols[i + 1] == right)
                        {
                            symbols[i] = left + right;
                            symbols.RemoveAt(i + 1);
                            break;
                        }
                    }
                }

                Assert.Equal(symbols.Select(symbol => tokenizer.TokenId(symbol)!.Value), tokenizer.Encode(text));
            }
        }
    }

    [Fact]
    public void Threads_share_one_tokenizer()
    {
        var random = new RandomSource("tokenizer-threads", 4);
        Tokenizer tokenizer = TokenizerFiles.Load(TokenizerFiles.ByteLevel(GroupPattern, RandomMerges(random, 300)));
        string[] texts = Enumerable.Range(0, 200).Select(_ => RandomText(random, 50)).ToArray();
        Tokenizer alone = TokenizerFiles.Load(TokenizerFiles.ByteLevel(GroupPattern, RandomMerges(new RandomSource("tokenizer-threads", 4), 300)));
        int[][] expected = texts.Select(text => alone.Encode(text)).ToArray();
        int[][] actual = new int[texts.Length][];
        Parallel.For(0, texts.Length, i => actual[i] = tokenizer.Encode(texts[i]));
        Assert.Equal(expected, actual);
    }

    [Fact]
    public void Long_inputs_take_linear_time()
    {
        // Where time grew with the square of the length, texts of 200,000 letters would take minutes: far from what a busy machine explains.
        const double LeastMegabytesPerSecond = 0.1;
        var random = new RandomSource("tokenizer-speed", 5);
        List<(string Left, string Right)> merges = RandomMerges(random, 400);
        string words = string.Concat(Enumerable.Range(0, 60_000).Select(_ =>
            string.Concat(Enumerable.Range(0, 2 + random.Next(6)).Select(_ => (char)('a' + random.Next(26)))) + " "));
        string unbroken = words.Replace(" ", "", StringComparison.Ordinal);
        foreach (string pattern in (string[])[WordScanner.Llama3Pattern, WordScanner.Gpt2Pattern, GroupPattern])
        {
            Tokenizer tokenizer = TokenizerFiles.Load(TokenizerFiles.ByteLevel(pattern, merges));
            foreach (string text in (string[])[words, unbroken, new string('a', 200_000), new string('\n', 200_000)])
            {
                double best = 0;
                for (int repeat = 0; repeat < 5 && best < LeastMegabytesPerSecond; repeat++)
                {
                    long start = Stopwatch.GetTimestamp();
                    tokenizer.Encode(text);
                    best = Math.Max(best, text.Length / 1e6 / Stopwatch.GetElapsedTime(start).TotalSeconds);
                }

                Assert.True(
                    best >= LeastMegabytesPerSecond, string.Create(CultureInfo.InvariantCulture, $"{best:F2} MB/s on '{text[..10]}...' with {pattern}"));
            }
        }
    }

    [Fact]
    public void A_directory_or_a_file_loads_and_is_hashed()
    {
        string path = Path.Combine(_directory, "tokenizer.json");
        JsonObject file = TokenizerFiles.ByteLevel(WordScanner.Gpt2Pattern, ("a", "b"));
        file["added_tokens"] = JsonNode.Parse("""[{"id":257,"content":"<s>","special":true,"single_word":false,"lstrip":false,"rstrip":false,"normalized":false}]""");
        File.WriteAllText(path, file.ToJsonString());
        Tokenizer tokenizer = Tokenizer.Load(_directory);
        Assert.Equal(258, tokenizer.VocabularySize);
        Assert.Equal(256, tokenizer.TokenId("ab"));
        Assert.Equal(257, tokenizer.TokenId("<s>"));
        Assert.Null(tokenizer.TokenId("abc"));
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(path))), tokenizer.ContentHash);
        Assert.Equal(tokenizer.ContentHash, Tokenizer.Load(path).ContentHash);
        Assert.Equal("ab", tokenizer.Decode([257, 256, 9999, -1], skipSpecialTokens: true));
        Assert.Equal("<s>ab", tokenizer.Decode([257, 256]));
        Assert.Equal("", tokenizer.Decode([]));
        Assert.Empty(tokenizer.Encode(""));
    }

    [Fact]
    public void A_lone_surrogate_is_the_replacement_character()
    {
        Tokenizer tokenizer = TokenizerFiles.Load(TokenizerFiles.ByteLevel(WordScanner.Llama3Pattern));
        Assert.Equal(tokenizer.Encode("a\uFFFDb🙂\uFFFD"), tokenizer.Encode("a\uD800b🙂\uDC00"));
    }

    [Fact]
    public void A_missing_file_is_named()
    {
        SparseFrontierException exception = Assert.Throws<SparseFrontierException>(() => Tokenizer.Load(_directory));
        Assert.Equal(ErrorIds.TokenizerMissing, exception.ErrorId);
        Assert.Contains(_directory, exception.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("model/type", "\"Unigram\"", "model 'Unigram'")]
    [InlineData("model/dropout", "0.1", "BPE with dropout")]
    [InlineData("model/continuing_subword_prefix", "\"##\"", "BPE with continuing_subword_prefix")]
    [InlineData("model/end_of_word_suffix", "\"</w>\"", "BPE with end_of_word_suffix")]
    [InlineData("normalizer", """{"type":"Precompiled"}""", "normalizer 'Precompiled'")]
    [InlineData("normalizer", """{"type":"Sequence","normalizers":[{"type":"NFC"},{"type":"Nmt"}]}""", "normalizer 'Nmt'")]
    [InlineData("pre_tokenizer", """{"type":"UnicodeScripts"}""", "pre_tokenizer 'UnicodeScripts'")]
    [InlineData("pre_tokenizer", """{"type":"Split","pattern":{"Glob":"a"},"behavior":"Isolated"}""", "pattern")]
    [InlineData("pre_tokenizer", """{"type":"Split","pattern":{"String":"a"},"behavior":"Sideways"}""", "split behavior 'Sideways'")]
    [InlineData("pre_tokenizer", """{"type":"Metaspace","replacement":"_","prepend_scheme":"sometimes"}""", "prepend_scheme 'sometimes'")]
    [InlineData("post_processor", """{"type":"BertProcessing"}""", "post_processor 'BertProcessing'")]
    [InlineData("decoder", """{"type":"WordPiece"}""", "decoder 'WordPiece'")]
    public void Unknown_components_are_refused_by_name(string place, string json, string named)
    {
        SparseFrontierException exception = LoadChanged(place, json);
        Assert.Equal(ErrorIds.TokenizerUnsupported, exception.ErrorId);
        Assert.Contains(named, exception.Message, StringComparison.Ordinal);
        Assert.Contains("tokenizer.json", exception.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("[[:alpha:]]", "a character class inside a character class")]
    [InlineData("[a-z&&[^b]]", "intersection")]
    [InlineData("[a", "a character class without an end")]
    [InlineData(@"a\", "a backslash at the end")]
    [InlineData(@"\X", @"the escape '\X'")]
    [InlineData(@"(a)\1", @"the escape '\1'")]
    [InlineData(@"\pL", @"\p without braces")]
    [InlineData(@"[\W]", @"\W inside a character class")]
    [InlineData(@"[a-\d]", "a character range that ends in a class")]
    [InlineData("(?m:a)", "the group '(?m:'")]
    [InlineData("𝕏", "a character beyond the basic plane")]
    [InlineData(@"\x{1D54F}", "beyond the basic plane")]
    [InlineData(@"\p{Han}", @"'\p{Han}'")]
    [InlineData("a++", "'a++'")]
    [InlineData("(a", "'(a'")]
    public void Regexes_that_would_mean_something_else_are_refused(string pattern, string named)
    {
        SparseFrontierException exception = Assert.Throws<SparseFrontierException>(() => TextPattern.Regular(pattern));
        Assert.Equal(ErrorIds.TokenizerUnsupported, exception.ErrorId);
        Assert.Contains(named, exception.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("model", "null", "")]
    [InlineData("model/vocab", """{"a":-1}""", "cannot be a token")]
    [InlineData("model/vocab", """{"a":"b"}""", "")]
    [InlineData("model/merges", """["ab"]""", "the merge 'ab'")]
    [InlineData("model/merges", """["a b c"]""", "the merge 'a b c'")]
    [InlineData("model/merges", """[["a"]]""", "a merge does not have two parts")]
    [InlineData("model/merges", """["x y"]""", "names tokens that the vocabulary lacks")]
    [InlineData("model/unk_token", "\"<unk>\"", "the unknown token '<unk>'")]
    [InlineData("post_processor", """{"type":"TemplateProcessing","single":[],"special_tokens":{}}""", "0 times")]
    [InlineData("decoder", """{"type":"Strip","content":"ab","start":1,"stop":0}""", "one character")]
    public void Broken_files_say_what_is_wrong(string place, string json, string named)
    {
        SparseFrontierException exception = LoadChanged(place, json);
        Assert.Equal(ErrorIds.TokenizerInvalid, exception.ErrorId);
        Assert.Contains(named, exception.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("[]")]
    [InlineData("{}")]
    public void What_is_no_tokenizer_is_refused(string content)
    {
        string path = Path.Combine(_directory, "tokenizer.json");
        File.WriteAllText(path, content);
        Assert.Equal(ErrorIds.TokenizerInvalid, Assert.Throws<SparseFrontierException>(() => Tokenizer.Load(path)).ErrorId);
    }

    private static SparseFrontierException LoadChanged(string place, string json)
    {
        JsonObject file = TokenizerFiles.ByteLevel(WordScanner.Gpt2Pattern);
        string[] path = place.Split('/');
        JsonObject owner = path.Length == 1 ? file : file[path[0]]!.AsObject();
        owner[path[^1]] = JsonNode.Parse(json);
        return Assert.Throws<SparseFrontierException>(() => TokenizerFiles.Load(file));
    }

    /// <summary>The merges that the definition applies, one at a time: the lowest rank there is, leftmost.</summary>
    private static IEnumerable<(string Left, string Right)> BestMerges(List<string> symbols, List<(string Left, string Right)> merges)
    {
        Dictionary<(string, string), int> ranks = [];
        for (int rank = 0; rank < merges.Count; rank++)
        {
            ranks[merges[rank]] = rank;
        }

        while (true)
        {
            int best = int.MaxValue;
            for (int i = 0; i + 1 < symbols.Count; i++)
            {
                best = Math.Min(best, ranks.GetValueOrDefault((symbols[i], symbols[i + 1]), int.MaxValue));
            }

            if (best == int.MaxValue)
            {
                yield break;
            }

            yield return merges[best];
        }
    }

    private static List<(string Left, string Right)> RandomMerges(RandomSource random, int count)
    {
        List<string> tokens = Enumerable.Range(0, 6).Select(static i => ((char)('a' + i)).ToString()).Concat(["Ġ", "Ã", "©"]).ToList();
        var merges = new List<(string Left, string Right)>();
        while (merges.Count < count)
        {
            (string, string) pair = (tokens[random.Next(tokens.Count)], tokens[random.Next(tokens.Count)]);
            if (pair.Item1.Length + pair.Item2.Length <= 8 && !merges.Contains(pair))
            {
                merges.Add(pair);
                tokens.Add(pair.Item1 + pair.Item2);
            }
        }

        return merges;
    }

    private static string RandomText(RandomSource random, int characters)
    {
        string[] parts = ["a", "b", "cab", " ", "  ", "\n", "\r\n", "\t", "'s", "'LL", "'re", "7", "42", "-", "é", "e\u0301", "文", "字", "🙂", "𝕏", "𝟘", "\u00A0", "ก", "ſ"];
        var builder = new StringBuilder();
        for (int i = 0; i < characters; i++)
        {
            int kind = random.Next(8);
            if (kind > 0)
            {
                builder.Append(parts[random.Next(parts.Length)]);
                continue;
            }

            int code = random.Next(0x30000);
            builder.Append(Rune.IsValid(code) ? new Rune(code).ToString() : "x");
        }

        return builder.ToString();
    }
}
