using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using SparseFrontier.Models.Tokenizers;
using Xunit;

namespace SparseFrontier.Tests.Models.Tokenizers;

/// <summary>Normalization without a system library.</summary>
public class UnicodeNormalizerTests
{
    [Theory]
    [InlineData("NFC")]
    [InlineData("NFD")]
    [InlineData("NFKC")]
    [InlineData("NFKD")]
    public void Every_code_point_agrees_with_the_tokenizers_library(string form)
    {
        UnicodeNormalizer normalizer = UnicodeNormalizer.For(form);
        var all = new StringBuilder();
        for (int code = 1; code < 0xE0200; code = code == 0xD7FF ? 0xE000 : code == 0x323FF ? 0xE0000 : code + 1)
        {
            string character = char.ConvertFromUtf32(code);
            all.Append(normalizer.Normalize($"a{character}\u0345\u0334.{character}\u0301,\u1100{character}\u11A8"));
        }

        using var golden = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Fixtures.Golden("tokenizers"), "normalization.json")));
        Assert.Equal(
            golden.RootElement.GetProperty(form).GetString(), Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(all.ToString()))));
    }

    [Theory]
    [InlineData("NFC", "", "")]
    [InlineData("NFC", "plain", "plain")]
    [InlineData("NFC", "e\u0301", "\u00E9")]
    [InlineData("NFC", "\u0301e", "\u0301e")]
    [InlineData("NFC", "a\u0323\u0307", "\u1EA1\u0307")]
    [InlineData("NFC", "a\u0307\u0323", "\u1EA1\u0307")]
    [InlineData("NFC", "\u1100\u1161\u11A8", "\uAC01")]
    [InlineData("NFC", "\uAC00\u11A8", "\uAC01")]
    [InlineData("NFD", "\uAC01\u00E9", "\u1100\u1161\u11A8e\u0301")]
    [InlineData("NFC", "\u212B", "\u00C5")]
    [InlineData("NFC", "\u0958", "\u0915\u093C")]
    [InlineData("NFKC", "\uFB01\u2460\u00B2", "fi12")]
    [InlineData("NFKD", "\u1E9B\u0323", "s\u0323\u0307")]
    [InlineData("NFC", "\U0001D15E!", "\U0001D157\U0001D165!")]
    public void Known_cases(string form, string text, string expected) => Assert.Equal(expected, UnicodeNormalizer.For(form).Normalize(text));

    [Fact]
    public void Runs_of_marks_are_ordered_together()
    {
        string marks = string.Concat(Enumerable.Repeat("\u0345\u0301\u0323", 50));
        Assert.Equal(
            "a" + new string('\u0323', 50) + new string('\u0301', 50) + new string('\u0345', 50), UnicodeNormalizer.For("NFD").Normalize("a" + marks));
    }
}
